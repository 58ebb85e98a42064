/** From how many on the 95th percentile says more than the largest value does. */
const P95_MIN = 20;

/** What a handful of values comes to. Null: too few to say. */
export interface Summary {
  n: number;
  median: number | null;
  /** Null below 20 values. */
  p95: number | null;
}

export function summarise(values: readonly number[]): Summary {
  return {
    n: values.length,
    median: quantile(values, 0.5),
    p95: values.length < P95_MIN ? null : quantile(values, 0.95),
  };
}

export function median(values: readonly number[]): number | null {
  return quantile(values, 0.5);
}

/** By linear interpolation between the nearest two (type 7 of Hyndman and Fan, 1996). */
export function quantile(values: readonly number[], share: number): number | null {
  if (values.length === 0) return null;
  const sorted = Float64Array.from(values).sort();
  const place = (sorted.length - 1) * share;
  const below = Math.floor(place);
  const above = Math.min(below + 1, sorted.length - 1);
  return sorted[below]! + (sorted[above]! - sorted[below]!) * (place - below);
}

/** Standard normal quantile of 97.5 %: a two-sided interval of 95 %. */
const Z = 1.959963984540054;

export interface Share {
  successes: number;
  n: number;
  share: number | null;
  /** Wilson score interval, 95 % (E. B. Wilson, 1927); null without an observation: nothing is known, which is not zero. */
  interval: [number, number] | null;
}

export function shareOf(successes: number, n: number): Share {
  if (n === 0) return { successes, n, share: null, interval: null };
  const share = successes / n;
  const zz = Z * Z;
  const middle = share + zz / (2 * n);
  const spread = Z * Math.sqrt((share * (1 - share) + zz / (4 * n)) / n);
  // Exactly, where rounding would leave a trace.
  const low = successes === 0 ? 0 : Math.max(0, (middle - spread) / (1 + zz / n));
  const high = successes === n ? 1 : Math.min(1, (middle + spread) / (1 + zz / n));
  return { successes, n, share, interval: [low, high] };
}
