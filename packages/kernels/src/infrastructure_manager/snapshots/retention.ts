/** What retention needs to know of a snapshot. */
export interface Kept {
  /** Grows with time. */
  number: number;
  takenMs: number;
  good: boolean;
  items: readonly string[];
}

/** How long a snapshot that went bad is kept, as evidence, ms. */
const BAD_MS = 86_400_000;

/**
 * Which snapshots may go. Pure. A good one stays while it is among the newest `keep` good ones and not older than `maxAgeMs`; and always while it
 * has the last good copy of something. A bad one stays for a
 * day, at most `keep` of them.
 * @returns numbers, in ascending order
 */
export function outdated(
  snapshots: readonly Kept[],
  { keep, maxAgeMs }: { keep: number; maxAgeMs: number },
  nowMs: number,
): number[] {
  const newestFirst = snapshots.toSorted((a, b) => b.number - a.number);
  const held = new Set<string>();
  let [good, bad] = [0, 0];
  const gone = newestFirst.filter((snapshot) => {
    if (!snapshot.good) return ++bad > keep || nowMs - snapshot.takenMs > BAD_MS;
    good += 1;
    const isLast = snapshot.items.some((item) => !held.has(item));
    for (const item of snapshot.items) held.add(item);
    return !isLast && (good > keep || nowMs - snapshot.takenMs > maxAgeMs);
  });
  return gone.map(({ number }) => number).sort((a, b) => a - b);
}
