import type { KernelContext } from '@grace/kernel-sdk';
import type { ProbeDefinition } from './definition.ts';
import { type SubjectHealth, subjectHealth } from './health.ts';
import { judge, newStanding, type ProbeResult, type Standing } from './judge.ts';
import { counts, type Objective } from './objective.ts';
import { observe, type Reach } from './observer.ts';
import type { CountedResult, Results } from './results.ts';

/** Looked for due probes this often, ms. */
const TICK_MS = 100;
/** Results are written together, this often, ms: one sync to disk for all of them. */
const WRITE_MS = 1000;
/** Probes under way at one moment; others wait for the next tick. */
const MAX_IN_FLIGHT = 32;
/** Results waiting to be written when the disk does not take them; the oldest are dropped and counted. */
const MAX_UNWRITTEN = 5000;
/** When this kernel itself was so late, a missed deadline says nothing about the subject. */
const OWN_LAG_MS = 250;

interface Entry {
  definition: ProbeDefinition;
  standing: Standing;
  dueMono: number;
  inFlight: boolean;
}

/** Runs probes when they are due, and keeps their standing. */
export interface Rounds {
  set(definition: ProbeDefinition): void;
  remove(id: string): void;
  entries(): { definition: ProbeDefinition; standing: Standing }[];
  run(id: string): Promise<ProbeResult>;
  setObjectives(objectives: readonly Objective[]): void;
  /** Writes what waits. */
  flush(): void;
  dropped(): number;
}

export function createRounds(
  ctx: KernelContext,
  reach: Reach,
  results: Results,
  onChange: (from: SubjectHealth, to: SubjectHealth) => void,
): Rounds {
  const entries = new Map<string, Entry>();
  let objectives: readonly Objective[] = [];
  let unwritten: CountedResult[] = [];
  let dropped = 0;
  let tickedMono = ctx.clock.monoMs();
  let lateUntilMono = 0;

  const ofSubject = (subject: string): Entry[] =>
    [...entries.values()].filter(({ definition }) => definition.subject === subject);

  const record = (entry: Entry, result: ProbeResult): void => {
    const { definition } = entry;
    const before = subjectHealth(definition.subject, ofSubject(definition.subject));
    entry.standing = judge(entry.standing, result, definition, ctx.clock.monoMs());
    // A subject that is still starting has used up nothing: only a probe with a standing counts.
    const isJudged = entry.standing.state !== 'unknown';
    const counted = isJudged ? objectives.filter((objective) => counts(objective, definition.id)) : [];
    unwritten.push({ ...result, probe: definition.id, wallMs: ctx.clock.wallMs(), objectives: counted });
    if (unwritten.length > MAX_UNWRITTEN) dropped += unwritten.splice(0, unwritten.length - MAX_UNWRITTEN).length;
    // A probe that was removed while it ran changes nothing any more.
    if (entries.get(definition.id) !== entry) return;
    const after = subjectHealth(definition.subject, ofSubject(definition.subject));
    if (after.state !== before.state) onChange(before, after);
  };

  const run = async (entry: Entry): Promise<ProbeResult> => {
    entry.inFlight = true;
    const startedMono = ctx.clock.monoMs();
    try {
      const seen = await observe(entry.definition.check, entry.definition.deadlineMs, reach);
      const isBlind = seen.verdict === 'fail' && lateUntilMono > startedMono;
      const result: ProbeResult = isBlind
        ? { ...seen, verdict: 'unknown', detail: `this monitor was late itself: ${seen.detail}` }
        : seen;
      record(entry, result);
      return result;
    } finally {
      entry.inFlight = false;
      entry.dueMono = Math.max(entry.dueMono + entry.definition.intervalMs, ctx.clock.monoMs());
    }
  };

  const tick = (): void => {
    const now = ctx.clock.monoMs();
    if (now - tickedMono - TICK_MS > OWN_LAG_MS) lateUntilMono = now;
    tickedMono = now;
    let inFlight = [...entries.values()].filter((entry) => entry.inFlight).length;
    for (const entry of entries.values()) {
      if (inFlight >= MAX_IN_FLIGHT) break;
      if (entry.inFlight || entry.dueMono > now) continue;
      inFlight += 1;
      run(entry).catch((error: Error) => {
        ctx.log.error('a probe could not be run', { probe: entry.definition.id, error: error.message });
      });
    }
  };

  const flush = (): void => {
    if (unwritten.length === 0) return;
    results.write(unwritten);
    unwritten = [];
  };

  ctx.every(TICK_MS, tick);
  ctx.every(WRITE_MS, flush);

  return {
    set(definition) {
      const now = ctx.clock.monoMs();
      // Spread over the interval, so that many probes are not all due at once; the first look is soon.
      const offsetMs = ((entries.size * 37) % 10) * Math.min(100, definition.intervalMs / 10);
      entries.set(definition.id, { definition, standing: newStanding(now), dueMono: now + offsetMs, inFlight: false });
    },
    remove: (id) => void entries.delete(id),
    entries: () => [...entries.values()],
    run: (id) => run(entries.get(id)!),
    setObjectives(next) {
      flush();
      objectives = next;
    },
    flush,
    dropped: () => dropped,
  };
}
