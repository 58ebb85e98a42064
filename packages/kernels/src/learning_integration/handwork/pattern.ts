import { createHash } from 'node:crypto';
import type { Act, ActName } from './act.ts';

/** An incident as far as it is needed to tell what ended it. */
export interface Episode {
  id: string;
  kind: string;
  subject: string;
  openedSeq: number;
  openedMs: number;
  /** Null: open. */
  closedSeq: number | null;
  /** A playbook healed it, so people did not. */
  healed: boolean;
}

/** `on` null: what the incident is about. */
export interface PatternStep {
  act: ActName;
  on: string | null;
}

/** The same acts in the same order, in several incidents of one kind. */
export interface Pattern {
  id: string;
  kind: string;
  steps: PatternStep[];
  incidents: string[];
  /** Journal records of the acts. */
  records: number[];
  by: string[];
  firstMs: number;
  lastMs: number;
  /** Of its mutes, the median, ms. */
  periodMs: number | null;
}

/** So often is a habit. */
export const REPEATED_MIN = 3;
/** Longer sequences are no one fix. */
const STEPS_MAX = 10;
/** What ends with one of these was given up, not fixed. */
const GIVEN_UP: ReadonlySet<ActName> = new Set(['pause', 'quarantine']);

/** What people did again and again to end incidents of one kind. Pure; the order of neither list matters. */
export function patternsOf(episodes: readonly Episode[], acts: readonly Act[]): Pattern[] {
  const byTime = [...acts].sort((a, b) => a.seq - b.seq || a.atMs - b.atMs);
  const found = new Map<string, { episode: Episode; acts: Act[]; steps: PatternStep[] }[]>();
  for (const episode of [...episodes].sort((a, b) => a.openedSeq - b.openedSeq)) {
    if (episode.closedSeq === null || episode.healed) continue;
    const own = within(byTime, episode).filter((act) => belongs(act, episode, episodes));
    const last = own.at(-1);
    if (!last || own.length > STEPS_MAX || GIVEN_UP.has(last.name)) continue;
    const steps = own.map(({ name, target }) => ({
      act: name,
      // A record is repaired by a verb of its own kernel, so its name says what to do.
      on: target === episode.subject && name !== 'repair' ? null : target,
    }));
    const key = JSON.stringify([episode.kind, steps]);
    found.set(key, [...(found.get(key) ?? []), { episode, acts: own, steps }]);
  }
  return [...found]
    .filter(([, times]) => times.length >= REPEATED_MIN)
    .map(([key, times]) => {
      const { kind } = times[0]!.episode;
      const all = times.flatMap((one) => one.acts);
      return {
        id: `hand_${kind}_${createHash('sha256').update(key).digest('hex').slice(0, 8)}`,
        kind,
        steps: times[0]!.steps,
        incidents: times.map(({ episode }) => episode.id),
        records: all.map(({ seq }) => seq),
        by: [...new Set(all.map(({ by }) => by))].sort(),
        firstMs: Math.min(...all.map(({ atMs }) => atMs)),
        lastMs: Math.max(...all.map(({ atMs }) => atMs)),
        periodMs: median(all.flatMap(({ periodMs }) => (periodMs === null ? [] : [periodMs]))),
      };
    })
    .sort((a, b) => b.incidents.length - a.incidents.length || (a.id < b.id ? -1 : 1));
}

/** The acts between opening and closing; they stand in the order of their numbers. */
function within(byTime: readonly Act[], episode: Episode): Act[] {
  let low = 0;
  let high = byTime.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (byTime[middle]!.seq <= episode.openedSeq) low = middle + 1;
    else high = middle;
  }
  const found: Act[] = [];
  for (let i = low; i < byTime.length && byTime[i]!.seq < (episode.closedSeq ?? Infinity); i++)
    if (isWithin(byTime[i]!, episode)) found.push(byTime[i]!);
  return found;
}

/** The journal numbers its records; a time before the opening tells that these are the numbers of an earlier journal. */
function isWithin(act: Act, episode: Episode): boolean {
  return act.seq > episode.openedSeq && act.seq < (episode.closedSeq ?? Infinity) && act.atMs >= episode.openedMs;
}

/** To the incidents of what it was done to; where there are none, to the one that was open. */
function belongs(act: Act, episode: Episode, all: readonly Episode[]): boolean {
  const isAbout = ({ subject }: Episode): boolean => subject === act.target || subject === act.cell;
  if (isAbout(episode)) return true;
  const open = all.filter((one) => isWithin(act, one));
  return open.length === 1 && !open.some(isAbout);
}

function median(values: readonly number[]): number | null {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? null;
}
