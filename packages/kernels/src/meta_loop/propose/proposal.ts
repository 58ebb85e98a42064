import { createHash } from 'node:crypto';
import type { Change } from '../judge/change.ts';
import type { Point, Series } from '../judge/series.ts';
import { median } from '../judge/summary.ts';
import type { SeriesVerdict } from '../judge/verdict.ts';
import { type Knob, type KnobId, knobOf, step } from './knob.ts';

/** A bounded change of one knob, with what speaks for it and what it is to be judged by. */
export interface Proposal {
  /** The same whenever the same change is proposed for the same series. */
  id: string;
  knob: KnobId;
  /** Kernel or resource. */
  target: string;
  from: number;
  to: number;
  unit: Knob['unit'];
  bounds: [number, number];
  /** Name of the series it is to make better. */
  series: string;
  bucketMs: number | null;
  why: string;
  expects: string;
  evidence: { sinceMs: number; p: number; before: number; after: number; n: number; incidents: string[] };
  /** What else was thought of. */
  alternatives: { what: string; whyNot: string }[];
}

/** A series that got worse, and that no knob would help. */
export interface Unhelped {
  series: string;
  why: string;
}

/** What may be turned for a series that got worse: a knob and the factor of one step, or why none. */
type Remedy = { knob: KnobId; factor: number; expects: string; whyThis: string } | { knob: null; why: string };

export type ReadKnob = (knob: KnobId, target: string) => Promise<number>;

const INCIDENTS_MAX = 20;

/**
 * What would help what got worse. Only of what is worse now: a series that got worse and better again, one that chance explains, and one that
 * is too short ask for nothing.
 */
export async function propose(
  judged: readonly { series: Series; verdict: SeriesVerdict }[],
  read: ReadKnob,
): Promise<{ proposals: Proposal[]; unhelped: Unhelped[] }> {
  const proposals: Proposal[] = [];
  const unhelped: Unhelped[] = [];
  for (const { series, verdict } of judged) {
    const change = verdict.changes.at(-1);
    if (verdict.course !== 'worse' || !change) continue;
    const remedy = remedyFor(series, change);
    if (remedy.knob === null) {
      unhelped.push({ series: series.name, why: remedy.why });
      continue;
    }
    const knob = knobOf(remedy.knob);
    let from: number;
    try {
      from = await read(knob.id, series.subject);
    } catch (error) {
      unhelped.push({
        series: series.name,
        why: `${knob.id} of ${series.subject} cannot be read: ${(error as Error).message}`,
      });
      continue;
    }
    const to = step(knob, from, remedy.factor);
    if (to === from) {
      unhelped.push({ series: series.name, why: `${knob.id} of ${series.subject} is at its bound (${from})` });
      continue;
    }
    proposals.push({
      id: idOf(knob.id, series, from, to),
      ...{ knob: knob.id, target: series.subject, from, to, unit: knob.unit, bounds: [knob.min, knob.max] },
      ...{ series: series.name, bucketMs: series.bucketMs },
      why: `${series.name} ${verdict.why}; ${remedy.whyThis}`,
      expects: remedy.expects,
      evidence: {
        ...{
          sinceMs: verdict.changes.at(-1)!.atMs,
          p: change.p,
          before: change.before.median,
          after: change.after.median,
        },
        n: change.after.n,
        incidents: series.points
          .slice(change.index)
          .flatMap(({ incident }) => incident?.id ?? [])
          .slice(-INCIDENTS_MAX),
      },
      alternatives: [
        { what: 'leave it as it is', whyNot: 'the change is larger than chance makes it, and goes on' },
        ...OTHERS[knob.id],
      ],
    });
  }
  return { proposals: proposals.sort((a, b) => a.evidence.p - b.evidence.p), unhelped };
}

/** The cause decides which knob: the same number may rise for different reasons. */
function remedyFor(series: Series, change: Change): Remedy {
  const after = series.points.slice(change.index);
  const before = series.points.slice(change.index - change.before.n, change.index);
  switch (series.measure) {
    case 'detect': {
      const first = commonest(after.flatMap(({ incident }) => incident?.method ?? []));
      if (first === 'probe')
        return {
          ...{ knob: 'probe_interval', factor: 0.5, expects: `${series.name} falls by up to half` },
          whyThis: 'the functional probe notices it first, so it is noticed when the next probe is due',
        };
      if (first === 'heartbeat')
        return {
          ...{ knob: 'hung_after', factor: 0.75, expects: `${series.name} falls by about a quarter` },
          whyThis: 'the heartbeat notices it first, after the time that a held loop is given',
        };
      return {
        knob: null,
        why: `noticed first by ${first ?? 'nobody known'}, which has no knob that can be turned while it runs`,
      };
    }
    case 'recover': {
      const grew = growth(before, after);
      if (grew.total > 0 && grew.delay >= grew.total / 2)
        return {
          ...{ knob: 'backoff_max', factor: 0.5, expects: `${series.name} falls by up to half of the wait` },
          whyThis: 'most of it is the wait before the restart',
        };
      if (grew.total > 0 && grew.ready >= grew.total / 2)
        return { knob: null, why: 'most of it is its start, which became slower; no knob makes a start faster' };
      return { knob: null, why: 'neither the wait before a restart nor the start explains most of it' };
    }
    case 'false_restarts':
      return {
        ...{ knob: 'hung_after', factor: 1.5, expects: `${series.name} becomes rarer; hangs are noticed later` },
        whyThis: 'it is accused more often than anything confirms',
      };
    case 'pressure_changes':
      return {
        ...{
          knob: 'pressure_fall_after',
          factor: 2,
          expects: `${series.name} becomes rarer; the end of pressure is told later`,
        },
        whyThis: 'its level goes up and down more often',
      };
    case 'ready':
      return { knob: null, why: 'a start became slower; no knob makes it faster' };
  }
}

const OTHERS: Record<KnobId, { what: string; whyNot: string }[]> = {
  probe_interval: [{ what: 'a shorter hung_after', whyNot: 'the heartbeat did not notice these first' }],
  hung_after: [{ what: 'a shorter probe_interval', whyNot: 'the functional probe did not notice these first' }],
  backoff_max: [{ what: 'a larger restart budget', whyNot: 'it would restart more often, not sooner' }],
  pressure_fall_after: [{ what: 'higher thresholds', whyNot: 'real pressure would be told later or not at all' }],
};

/** How much the medians of the whole and of its parts grew, ms. */
function growth(before: readonly Point[], after: readonly Point[]): { total: number; delay: number; ready: number } {
  const grew = (of: (point: Point) => number): number => (median(after.map(of)) ?? 0) - (median(before.map(of)) ?? 0);
  return {
    total: grew(({ value }) => value),
    delay: grew(({ incident }) => incident?.delayMs ?? 0),
    // The start counts from the order, the wait before it not.
    ready: grew(({ incident }) => incident?.readyMs ?? 0),
  };
}

function commonest(words: readonly string[]): string | null {
  const groups = [...Map.groupBy(words, (word) => word)].sort(([, a], [, b]) => b.length - a.length);
  return groups[0] && groups[0][1].length * 2 > words.length ? groups[0][0] : null;
}

function idOf(knob: KnobId, series: Series, from: number, to: number): string {
  const digest = createHash('sha256')
    .update(JSON.stringify([knob, series.name, from, to]))
    .digest('hex');
  return `proposal-${digest.slice(0, 12)}`;
}
