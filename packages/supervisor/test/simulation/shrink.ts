/**
 * The smallest part of `parts` that still fails, as far as leaving out can tell: delta debugging (Zeller and Hildebrandt, "Simplifying and
 * isolating failure-inducing input", 2002). `fails` is asked at most `attempts` times.
 */
export function smallest<T>(parts: readonly T[], fails: (parts: T[]) => boolean, attempts = 400): T[] {
  let kept = [...parts];
  let pieces = 2;
  let left = attempts;
  const still = (candidate: T[]): boolean => left-- > 0 && fails(candidate);
  if (still([])) return [];
  while (kept.length >= 2 && left > 0) {
    const size = Math.ceil(kept.length / pieces);
    const without = chunks(kept, size).map((piece) => kept.filter((part) => !piece.includes(part)));
    const found = without.find(still);
    if (found) {
      kept = found;
      pieces = Math.max(2, pieces - 1);
    } else if (size === 1) break;
    else pieces = Math.min(kept.length, pieces * 2);
  }
  return kept;
}

function chunks<T>(list: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(list.length / size) }, (_, n) => list.slice(n * size, (n + 1) * size));
}
