import type { KernelLimits, MemoryPressure, ThreadSample } from '@grace/contracts';
import { garbageBytes } from './v8-limit.ts';

type Kind = Exclude<MemoryPressure['of'], 'cell'>;
type Verdict = 'none' | 'pressure' | 'limit';

interface Reading {
  atMono: number;
  bytes: number;
}

interface KindJudgement {
  verdict: Verdict;
  /** Bytes over limit. */
  ratio: number;
  /** What it keeps grows by; null while it does not grow, or too little was read to say. */
  bytesPerSecond: number | null;
  /** Until the limit at that rate, 0 at the limit; null when it does not grow. */
  msToLimit: number | null;
}

export interface MemoryJudgement extends KindJudgement {
  /** The kind of memory the rest speaks of: the one that is worse; null when none was read. */
  of: Kind | null;
}

/** Share of a limit from which the kernel is asked to shed: leaves a slow grower minutes, one of 100 MB/s half a second. */
const PRESSURE = 0.8;
/** A reading (50 ms) and the way of an order (a few ms, more on a full machine): what is nearer to its limit is over it when we act. */
const LOOK_MS = 100;
/** Readings of the last second alone give the rate when there are enough of them: a leak that has just begun is not averaged away. */
const RECENT_MS = 1000;
const FEWEST_READINGS = 3;
/** Growth within the window below this share of the limit is noise, and not worth a rate. */
const NOISE_SHARE = 1 / 64;

/**
 * Heap and off-heap memory of one thread against its limits, from a window of its samples, oldest first. Pure.
 *
 * A heap that is collected goes up and down like a saw, and between two collections garbage looks like a leak. So the rate is that of what
 * was never given back (the least of each reading and all after it), as the median of all slopes between two readings (Theil and Sen: Sen,
 * "Estimates of the regression coefficient based on Kendall's tau", 1968), which up to 29 % of outlying readings cannot move. And below a limit only
 * growth that no garbage explains counts as having reached it: off the heap V8 lets garbage stand only up to `garbageBytes`; on the heap
 * there is no such bound, so there only the limit itself counts.
 */
export function judgeMemory(
  window: readonly ThreadSample[],
  limits: Pick<KernelLimits, 'heapBytes' | 'externalBytes'>,
): MemoryJudgement {
  const heap = judgeKind(readings(window, 'heapBytes'), limits.heapBytes, Number.POSITIVE_INFINITY);
  const external = judgeKind(readings(window, 'externalBytes'), limits.externalBytes, garbageBytes(limits.heapBytes));
  if (!heap || !external) return { of: null, verdict: 'none', ratio: 0, bytesPerSecond: null, msToLimit: null };
  return rank(heap) >= rank(external) ? { of: 'heap', ...heap } : { of: 'external', ...external };
}

function judgeKind(read: readonly Reading[], limitBytes: number, garbage: number): KindJudgement | null {
  const last = read.at(-1);
  if (!last) return null;
  const ratio = last.bytes / limitBytes;
  const kept = neverGivenBack(read);
  const risenBytes = last.bytes - kept[0]!.bytes;
  const bytesPerSecond = risenBytes < limitBytes * NOISE_SHARE ? null : rateOf(kept);
  const msToLimit =
    ratio >= 1 ? 0 : bytesPerSecond === null ? null : ((limitBytes - last.bytes) / bytesPerSecond) * 1000;
  const outruns = msToLimit !== null && msToLimit < LOOK_MS && risenBytes > garbage;
  const verdict = ratio >= 1 || outruns ? 'limit' : ratio >= PRESSURE ? 'pressure' : 'none';
  return { verdict, ratio, bytesPerSecond, msToLimit };
}

/** Each reading once: samples are more frequent than readings, and carry the last. A thread in a native call has none. */
function readings(window: readonly ThreadSample[], kind: 'heapBytes' | 'externalBytes'): Reading[] {
  const read: Reading[] = [];
  for (const { heapAtMono, [kind]: bytes } of window)
    if (bytes !== null && heapAtMono !== null && heapAtMono > (read.at(-1)?.atMono ?? Number.NEGATIVE_INFINITY))
      read.push({ atMono: heapAtMono, bytes });
  return read;
}

function neverGivenBack(read: readonly Reading[]): Reading[] {
  let least = Number.POSITIVE_INFINITY;
  return read
    .toReversed()
    .map(({ atMono, bytes }) => {
      least = Math.min(least, bytes);
      return { atMono, bytes: least };
    })
    .reverse();
}

/** Bytes a second, the median of all slopes; null when it does not grow or the readings are too few. */
function rateOf(kept: readonly Reading[]): number | null {
  const last = kept.at(-1)!;
  const recent = kept.filter(({ atMono }) => last.atMono - atMono <= RECENT_MS);
  const used = recent.length >= FEWEST_READINGS ? recent : kept;
  if (used.length < FEWEST_READINGS) return null;
  const slopes: number[] = [];
  for (let i = 0; i < used.length; i++)
    for (let j = i + 1; j < used.length; j++)
      slopes.push((used[j]!.bytes - used[i]!.bytes) / (used[j]!.atMono - used[i]!.atMono));
  slopes.sort((a, b) => a - b);
  const middle = slopes.length / 2;
  const median = (slopes[Math.ceil(middle) - 1]! + slopes[Math.floor(middle)]!) / 2;
  return median > 0 ? median * 1000 : null;
}

/** The worse verdict first, then the fuller kind. */
function rank({ verdict, ratio }: KindJudgement): number {
  return ['none', 'pressure', 'limit'].indexOf(verdict) * 1e9 + ratio;
}
