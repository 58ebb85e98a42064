import type { ThreadSample } from '@grace/contracts';

/** Samples younger than this are all kept, ms ... */
const RECENT_MS = 1000;
/** ... older ones only this far apart, and only this long, ms. */
const SPACED_MS = 400;
const KEPT_MS = 15_000;

/**
 * The window of samples for `classify`, with the newest added; at most 60 samples. A cell sends a sample every 50 ms while one of its
 * threads is late: a window counted in samples would then not reach back to where an overload began.
 */
export function windowWith(window: readonly ThreadSample[], sample: ThreadSample): ThreadSample[] {
  const kept: ThreadSample[] = [];
  for (const before of window) {
    const ageMs = sample.atMono - before.atMono;
    if (before.incarnation !== sample.incarnation || ageMs > KEPT_MS) continue;
    const spacedMs = before.atMono - (kept.at(-1)?.atMono ?? Number.NEGATIVE_INFINITY);
    if (ageMs <= RECENT_MS || spacedMs >= SPACED_MS) kept.push(before);
  }
  kept.push(sample);
  return kept;
}
