/** Standard normal quantile of 97.5 %: a two-sided interval of 95 %. */
const Z = 1.959963984540054;

/**
 * Lower bound of the Wilson score interval (E. B. Wilson, 1927) for a share of successes: what can be relied on after so few, or so many,
 * observations. Null without any: nothing is known, which is not the same as distrust.
 */
export function wilsonLower(kept: number, broken: number): number | null {
  const n = kept + broken;
  if (n === 0) return null;
  // Exactly, where rounding would leave a trace.
  if (kept === 0) return 0;
  const share = kept / n;
  const zz = Z * Z;
  const middle = share + zz / (2 * n);
  const spread = Z * Math.sqrt((share * (1 - share) + zz / (4 * n)) / n);
  return Math.min(1, Math.max(0, (middle - spread) / (1 + zz / n)));
}
