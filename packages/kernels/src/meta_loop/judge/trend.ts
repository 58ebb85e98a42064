import { median } from './summary.ts';

export interface Trend {
  direction: 'rising' | 'falling' | 'none';
  /** Two-sided, of Mann's and Kendall's test with the correction for ties. */
  p: number;
  /** Theil's and Sen's slope: the median of all slopes between two values, per hour. */
  perHour: number;
}

/** Below this the normal approximation of the test is poor (Kendall, 1975). */
export const TREND_MIN = 10;

/** Whether a series rises or falls. Undefined: too few values to say. */
export function trendOf(points: readonly { atMs: number; value: number }[], alpha: number): Trend | undefined {
  const n = points.length;
  if (n < TREND_MIN) return undefined;
  let s = 0;
  const slopes: number[] = [];
  for (let i = 0; i < n; i++) {
    for (let j = i + 1; j < n; j++) {
      const rise = points[j]!.value - points[i]!.value;
      const hours = (points[j]!.atMs - points[i]!.atMs) / 3_600_000;
      s += Math.sign(rise);
      if (hours > 0) slopes.push(rise / hours);
    }
  }
  const groups = Map.groupBy(points, ({ value }) => value);
  let variance = n * (n - 1) * (2 * n + 5);
  for (const { length } of groups.values()) variance -= length * (length - 1) * (2 * length + 5);
  const z = variance <= 0 ? 0 : (s - Math.sign(s)) / Math.sqrt(variance / 18);
  const p = 2 * upperTail(Math.abs(z));
  return { direction: p > alpha ? 'none' : s > 0 ? 'rising' : 'falling', p, perHour: median(slopes) ?? 0 };
}

/** Of the standard normal, for z >= 0; absolute error below 1.5e-7 (Abramowitz and Stegun, 7.1.26). */
function upperTail(z: number): number {
  const x = z / Math.SQRT2;
  const t = 1 / (1 + 0.3275911 * x);
  const poly = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
  return Math.min(0.5, (poly * Math.exp(-x * x)) / 2);
}
