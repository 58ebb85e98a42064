/** Numbers as flat pairs `[from, to, from, to, ...]`: acknowledgements of neighbours cost one pair. */
export type Ranges = number[];

export function addToRanges(ranges: Ranges, n: number): void {
  const last = ranges.length - 1;
  if (last > 0 && ranges[last] === n - 1) ranges[last] = n;
  else ranges.push(n, n);
}

/** Appends; faster than spreading, and safe for any length. */
export function append(target: unknown[], source: readonly unknown[]): void {
  for (let i = 0; i < source.length; i++) target.push(source[i]);
}
