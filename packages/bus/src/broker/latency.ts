import { type BusLatency, LATENCY_BOUNDS_MS } from '@grace/contracts';

/**
 * How long deliveries took, in buckets of at most 25 % width: recording costs a few arithmetic operations and never allocates. The bounds are
 * those of `LATENCY_BOUNDS_MS`, which this computes the index of: 4 us x 2^k x (4 to 7).
 */
export class Latency {
  readonly #counts = new Float64Array(LATENCY_BOUNDS_MS.length + 1);
  #count = 0;
  #sumMs = 0;

  /** `bucket` is `bucketOf(ms)`: what counts in two histograms is looked up once. */
  record(ms: number, bucket: number): void {
    this.#count++;
    this.#sumMs += ms;
    this.#counts[bucket]!++;
  }

  read(): BusLatency {
    const used = this.#counts.findLastIndex((count) => count > 0) + 1;
    return {
      count: this.#count,
      sumMs: Math.round(this.#sumMs * 1000) / 1000,
      p50Ms: this.#quantile(0.5),
      p99Ms: this.#quantile(0.99),
      buckets: [...this.#counts.subarray(0, used)],
    };
  }

  #quantile(share: number): number | null {
    if (this.#count === 0) return null;
    let rest = Math.ceil(this.#count * share);
    for (let i = 0; i < LATENCY_BOUNDS_MS.length; i++) {
      rest -= this.#counts[i]!;
      if (rest <= 0) return LATENCY_BOUNDS_MS[i]!;
    }
    return LATENCY_BOUNDS_MS.at(-1)!;
  }
}

/** The first bucket whose bound is not below. */
export function bucketOf(ms: number): number {
  const quads = ms * 250;
  if (!(quads > 4)) return 0;
  if (quads >= 2 ** 31) return LATENCY_BOUNDS_MS.length;
  const octave = 29 - Math.clz32(quads);
  return Math.min(octave * 4 + Math.ceil(quads / 2 ** octave) - 4, LATENCY_BOUNDS_MS.length);
}
