import { type Change, findChanges, leastP } from './change.ts';
import { seeded } from './random.ts';
import type { Series } from './series.ts';
import { TREND_MIN, type Trend, trendOf } from './trend.ts';

/** `unknown`: too little data to tell, which is not the same as steady. */
export type Course = 'worse' | 'better' | 'steady' | 'unknown';

export interface SeriesVerdict {
  name: string;
  unit: Series['unit'];
  bucketMs: number | null;
  n: number;
  course: Course;
  why: string;
  changes: (Change & { atMs: number })[];
  /** Null: too few values. */
  trend: Trend | null;
}

/** Of all series of one evaluation together: how often, at most, a change is reported in series that never changed. */
export const ALPHA = 0.05;
/** Values on each side of a change. */
export const SIDE = 5;
/** A change that is real but small is nobody's business: it must be at least this part of the level before, and this much. */
const MATERIAL_SHARE = 0.2;
const MATERIAL_MS = 5;
const MATERIAL_COUNT = 0.5;

/** What became of a series: of its last change, where it has one. `tests`: how many series share the false alarms allowed. Pure. */
export function judgeSeries(series: Series, tests: number): SeriesVerdict {
  const values = series.points.map(({ value }) => value);
  const { name, unit, bucketMs } = series;
  const n = values.length;
  const alpha = ALPHA / Math.max(1, tests);
  const counts = unit === 'per bucket';
  const trend = trendOf(series.points, alpha) ?? null;
  const say = (course: Course, why: string, changes: SeriesVerdict['changes'] = []): SeriesVerdict => {
    return { name, unit, bucketMs, n, course, why, changes, trend };
  };
  if (n < 2 * SIDE) return say('unknown', `too little data: ${n} of ${2 * SIDE} values`);
  if (leastP(n) > alpha)
    return say('unknown', `too little data: with ${n} values in ${tests} series nothing can be told from chance`);
  const changes = findChanges(values, { alpha, side: SIDE, random: seeded(n), counts }).map((change) => {
    return { ...change, atMs: series.points[change.index]!.atMs };
  });
  const last = changes.at(-1);
  if (!last) return say('steady', 'no change that chance would not make');
  const level = `from ${shown(last.before.median)} to ${shown(last.after.median)} (median), p ${last.p.toPrecision(2)}`;
  if (!isMaterial(last, counts)) return say('steady', `it changed, but by little: ${level}`, changes);
  return say(last.shift > 0 ? 'worse' : 'better', `it changed ${level}`, changes);
}

/** Whether a series is long enough to be looked at; those that are not cost no false alarm. */
export function isTestable({ points }: Series): boolean {
  return points.length >= Math.max(2 * SIDE, TREND_MIN);
}

export function isMaterial({ shift, before }: Pick<Change, 'shift' | 'before'>, counts: boolean): boolean {
  return Math.abs(shift) >= Math.max(MATERIAL_SHARE * Math.abs(before.median), counts ? MATERIAL_COUNT : MATERIAL_MS);
}

function shown(value: number): string {
  return String(Math.round(value * 10) / 10);
}
