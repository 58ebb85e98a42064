import type { ThreadSample } from '@grace/contracts';

/**
 * Samples further apart than this, and than twice what was usual just before, leave a gap of which nothing is known: the observer, its cell
 * or the machine stood still, ms.
 */
const GAP_MS = 1000;

/** What a thread did between two of its samples. Null where the machine does not tell. */
export interface Span {
  forMs: number;
  /** `forMs` without the gaps between samples. */
  seenMs: number;
  cpuMs: number | null;
  runDelayMs: number | null;
  logs: number;
  work: number;
  published: number;
  refused: number;
}

/** From the newest sample that is at least `backMs` older than the last one; null when the window does not reach back that far. */
export function spanBack(window: readonly ThreadSample[], backMs: number): Span | null {
  const last = window.at(-1);
  if (!last) return null;
  for (let index = window.length - 2; index >= 0; index--)
    if (last.atMono - window[index]!.atMono >= backMs) return spanFrom(window, index);
  return null;
}

/** From the sample at `index` to the last. */
export function spanFrom(window: readonly ThreadSample[], index: number): Span {
  const from = window[index]!;
  const last = window.at(-1)!;
  return {
    forMs: last.atMono - from.atMono,
    seenMs: last.atMono - from.atMono - gapsSince(window, from.atMono),
    cpuMs: difference(last.cpuMs, from.cpuMs),
    runDelayMs: difference(last.runDelayMs, from.runDelayMs),
    logs: Math.max(0, last.logs - from.logs),
    work: Math.max(0, last.work - from.work),
    published: Math.max(0, last.published - from.published),
    refused: Math.max(0, last.refused - from.refused),
  };
}

/** Time since `fromMono` that lies in gaps between samples, ms. */
export function gapsSince(window: readonly ThreadSample[], fromMono: number): number {
  let gaps = 0;
  for (let index = window.length - 1; index > 0 && window[index]!.atMono > fromMono; index--) {
    const between = window[index]!.atMono - window[index - 1]!.atMono;
    const usual = index > 1 ? window[index - 1]!.atMono - window[index - 2]!.atMono : 0;
    if (between > GAP_MS && between > 2 * usual)
      gaps += window[index]!.atMono - Math.max(fromMono, window[index - 1]!.atMono);
  }
  return gaps;
}

function difference(last: number | null, from: number | null): number | null {
  return last === null || from === null ? null : Math.max(0, last - from);
}
