/**
 * Lower bound of the 95 % Wilson score interval of a share: what `successes` of `trials` still allow the true rate to be.
 * Wilson, E. B. (1927), Probable inference, the law of succession, and statistical inference. Null without trials.
 */
export function wilsonLowerBound(successes: number, trials: number): number | null {
  if (!(trials > 0) || !(successes >= 0)) return null;
  if (successes === 0) return 0;
  const z = 1.959963984540054;
  const rate = Math.min(1, successes / trials);
  const centre = rate + (z * z) / (2 * trials);
  const spread = z * Math.sqrt((rate * (1 - rate)) / trials + (z * z) / (4 * trials * trials));
  return Math.max(0, (centre - spread) / (1 + (z * z) / trials));
}
