import type { Facts, IncidentFact } from '../record/facts.ts';

/** What a series measures; of all of them less is better. */
export const MEASURES = ['detect', 'recover', 'ready', 'false_restarts', 'pressure_changes'] as const;
export type Measure = (typeof MEASURES)[number];

export interface Point {
  atMs: number;
  value: number;
  /** The incident behind a time. */
  incident?: IncidentFact;
}

export interface Series {
  /** `measure:subject`, or `measure:kind:subject`. */
  name: string;
  measure: Measure;
  /** Kind of incident; null: not about incidents. */
  kind: string | null;
  /** Kernel, cell, principal or resource. */
  subject: string;
  unit: 'ms' | 'per bucket';
  /** Length of a bucket of a count, ms; null: each value is one event. */
  bucketMs: number | null;
  /** Oldest first. */
  points: Point[];
}

export interface Observed extends Facts {
  pressures: readonly { atMs: number; resource: string }[];
}

export interface Span {
  fromMs: number;
  toMs: number;
}

/** Points of one series that are looked at: the newest. */
export const POINTS_MAX = 120;
/** A span is cut into this many buckets, none below a minute. */
const BUCKETS = 48;
const BUCKET_MIN_MS = 60_000;

/** All series of a span. A count has a bucket for each stretch of time, also where nothing happened. Pure. */
export function seriesOf(observed: Observed, span: Span, bucketMs = bucketOf(span)): Series[] {
  const found: Series[] = [];
  const times = (measure: 'detect' | 'recover', timeOf: (incident: IncidentFact) => number | null): void => {
    const groups = Map.groupBy(observed.incidents, ({ kind, subject }) => `${kind}:${subject}`);
    for (const [key, incidents] of groups) {
      const points = incidents.flatMap((incident) => {
        const value = timeOf(incident);
        return value === null ? [] : [{ atMs: incident.openedMs, value, incident }];
      });
      const { kind, subject } = incidents[0]!;
      if (points.length > 0) found.push(newest({ ...named(measure, key, subject), kind, points }));
    }
  };
  times('detect', ({ detectMs }) => detectMs);
  times('recover', ({ recoverMs }) => recoverMs);
  const restarted = observed.readies.filter(({ boot }) => !boot);
  for (const [kernel, readies] of Map.groupBy(restarted, (ready) => ready.kernel)) {
    const points = readies.map(({ atMs, readyMs }) => ({ atMs, value: readyMs }));
    found.push(newest({ ...named('ready', kernel, kernel), points }));
  }
  const counts = (measure: Measure, events: readonly { atMs: number; subject: string }[]): void => {
    for (const [subject, own] of Map.groupBy(events, (event) => event.subject)) {
      const points = bucketed(own, span, bucketMs);
      found.push(newest({ ...named(measure, subject, subject), unit: 'per bucket', bucketMs, points }));
    }
  };
  // What a drill provokes says nothing of how often it happens by itself.
  const wrong = observed.restarts.filter(({ verdict, drill }) => verdict === 'false' && !drill);
  counts(
    'false_restarts',
    wrong.map(({ atMs, kernel }) => ({ atMs, subject: kernel })),
  );
  counts(
    'pressure_changes',
    observed.pressures.map(({ atMs, resource }) => ({ atMs, subject: resource })),
  );
  return found.sort((a, b) => (a.name < b.name ? -1 : 1));
}

export function bucketOf({ fromMs, toMs }: Span): number {
  return Math.max(BUCKET_MIN_MS, Math.ceil((toMs - fromMs) / BUCKETS));
}

/** Whole buckets only: one that is not over yet would look like less. */
function bucketed(events: readonly { atMs: number }[], { fromMs, toMs }: Span, bucketMs: number): Point[] {
  const buckets = Math.floor((toMs - fromMs) / bucketMs);
  const points = Array.from({ length: buckets }, (_, i) => ({ atMs: fromMs + i * bucketMs, value: 0 }));
  for (const { atMs } of events) {
    const bucket = points[Math.floor((atMs - fromMs) / bucketMs)];
    if (bucket) bucket.value++;
  }
  return points;
}

function named(measure: Measure, key: string, subject: string): Omit<Series, 'points'> {
  return { name: `${measure}:${key}`, measure, kind: null, subject, unit: 'ms', bucketMs: null };
}

function newest(series: Series): Series {
  return series.points.length <= POINTS_MAX ? series : { ...series, points: series.points.slice(-POINTS_MAX) };
}
