/** Ranks 1..n of the values, ties sharing their mean, and the tie term of the rank variance: the sum of t^3 - t over the groups of ties. */
export function ranksOf(values: readonly number[]): { ranks: Float64Array; ties: number } {
  const order = Array.from(values, (_, i) => i).sort((a, b) => values[a]! - values[b]!);
  const ranks = new Float64Array(values.length);
  let ties = 0;
  for (let from = 0; from < order.length; ) {
    let to = from;
    while (to + 1 < order.length && values[order[to + 1]!] === values[order[from]!]) to++;
    const size = to - from + 1;
    for (let i = from; i <= to; i++) ranks[order[i]!] = (from + to) / 2 + 1;
    ties += size ** 3 - size;
    from = to + 1;
  }
  return { ranks, ties };
}

/** Variance of the rank sum of `k` of `n` values. */
export function rankSumVariance(k: number, n: number, ties: number): number {
  return ((k * (n - k)) / 12) * (n + 1 - ties / (n * (n - 1)));
}
