import type { KernelContext } from '@grace/kernel-sdk';
import type { ProbeDefinition } from './definition.ts';
import { type SubjectHealth, subjectHealth } from './health.ts';
import { judge, newStanding, type ProbeResult, type Standing } from './judge.ts';
import { counts, type Objective } from './objective.ts';
import { observe, type Reach } from './observer.ts';
import type { CountedResult, Results } from './results.ts';

/** Results are written together, this long after the first of them, ms: one sync to disk for all. */
const WRITE_MS = 1000;
/** Probes under way at one moment; the others wait until one of them is done. */
export const MAX_IN_FLIGHT = 32;
/** Results waiting to be written when the disk does not take them; the oldest are dropped and counted. */
const MAX_UNWRITTEN = 5000;
/** When this kernel itself was so late, a missed deadline says nothing about the subject. */
const OWN_LAG_MS = 250;
/** How often that is looked at while probes are under way, ms. */
const LAG_LOOK_MS = 100;
/** What is due this soon is taken along, so that one turn serves several. */
const ALONG_MS = 250;
/** Each interval is longer or shorter by up to this share, so that probes do not keep step with each other, or with what they look at. */
const JITTER = 0.05;

interface Entry {
  definition: ProbeDefinition;
  standing: Standing;
  dueMono: number;
}

/** Runs probes when they are due, and keeps their standing. At rest it wakes when something is due, and at no other time. */
export interface Rounds {
  set(definition: ProbeDefinition): void;
  remove(id: string): void;
  entries(): { definition: ProbeDefinition; standing: Standing }[];
  /** One look now; joins one that is under way. */
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
  told: { onChange: (from: SubjectHealth, to: SubjectHealth) => void; onWritten: () => void },
): Rounds {
  const entries = new Map<string, Entry>();
  const running = new Map<Entry, Promise<ProbeResult>>();
  let objectives: readonly Objective[] = [];
  let unwritten: CountedResult[] = [];
  let dropped = 0;
  let lateUntilMono = 0;
  let wake: NodeJS.Timeout | undefined;
  let write: NodeJS.Timeout | undefined;
  let lag: NodeJS.Timeout | undefined;

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
    if (!ctx.signal.aborted) write ??= setTimeout(writeSoon, WRITE_MS);
    // A probe that was removed while it ran changes nothing any more.
    if (entries.get(definition.id) !== entry) return;
    const after = subjectHealth(definition.subject, ofSubject(definition.subject));
    if (after.state !== before.state) told.onChange(before, after);
  };

  const look = async (entry: Entry): Promise<ProbeResult> => {
    const { definition } = entry;
    const startedMono = ctx.clock.monoMs();
    watchLag();
    try {
      const seen = await observe(definition.check, definition.deadlineMs, reach);
      const wasLate = lateUntilMono > startedMono || seen.ms > definition.deadlineMs + OWN_LAG_MS;
      const result: ProbeResult =
        seen.verdict === 'fail' && wasLate
          ? { ...seen, verdict: 'unknown', detail: `this monitor was late itself: ${seen.detail}` }
          : seen;
      record(entry, result);
      return result;
    } finally {
      running.delete(entry);
      const everyMs = definition.intervalMs * (1 - JITTER + 2 * JITTER * Math.random());
      entry.dueMono = Math.max(entry.dueMono + everyMs, ctx.clock.monoMs());
      if (running.size === 0) lag = void clearInterval(lag);
      plan();
    }
  };

  const run = (entry: Entry): Promise<ProbeResult> => {
    const under = running.get(entry);
    if (under) return under;
    const looking = look(entry);
    running.set(entry, looking);
    return looking;
  };

  /** A timer that comes late says that this thread had no turn; then nobody else is blamed. */
  const watchLag = (): void => {
    if (lag) return;
    let seenMono = ctx.clock.monoMs();
    lag = setInterval(() => {
      const now = ctx.clock.monoMs();
      if (now - seenMono - LAG_LOOK_MS > OWN_LAG_MS) lateUntilMono = now;
      seenMono = now;
    }, LAG_LOOK_MS);
  };

  const begin = (): void => {
    wake = undefined;
    const now = ctx.clock.monoMs();
    const due = [...entries.values()]
      .filter(
        (entry) => !running.has(entry) && entry.dueMono <= now + Math.min(ALONG_MS, entry.definition.intervalMs / 20),
      )
      .sort((a, b) => a.dueMono - b.dueMono);
    for (const entry of due.slice(0, MAX_IN_FLIGHT - running.size)) {
      run(entry).catch((error: Error) => {
        ctx.log.error('a probe could not be run', { probe: entry.definition.id, error: error.message });
      });
    }
    plan();
  };

  /** Wakes for what is due next. With as many under way as may be, the first that is done plans again. */
  const plan = (): void => {
    clearTimeout(wake);
    wake = undefined;
    if (ctx.signal.aborted || running.size >= MAX_IN_FLIGHT) return;
    let nextMono = Infinity;
    for (const entry of entries.values()) if (!running.has(entry)) nextMono = Math.min(nextMono, entry.dueMono);
    if (nextMono < Infinity) wake = setTimeout(begin, Math.max(1, nextMono - ctx.clock.monoMs()));
  };

  const flush = (): void => {
    write = void clearTimeout(write);
    if (unwritten.length === 0) return;
    try {
      results.write(unwritten);
      unwritten = [];
    } catch (error) {
      // Kept, and tried again.
      if (!ctx.signal.aborted) write = setTimeout(writeSoon, WRITE_MS);
      throw error;
    }
  };
  const writeSoon = (): void => {
    try {
      flush();
      told.onWritten();
    } catch (error) {
      ctx.log.error('results could not be written', { waiting: unwritten.length, error: (error as Error).message });
    }
  };

  ctx.signal.addEventListener('abort', () => {
    for (const timer of [wake, write, lag]) clearTimeout(timer);
  });

  return {
    set(definition) {
      const now = ctx.clock.monoMs();
      // Spread over the interval, so that many probes are not all due at once; the first look is soon.
      const offsetMs = ((entries.size * 37) % 10) * Math.min(100, definition.intervalMs / 10);
      entries.set(definition.id, { definition, standing: newStanding(now), dueMono: now + offsetMs });
      plan();
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
