/** Tokens that flow in per second, and how many may be saved up. */
export interface Rate {
  perSecond: number;
  burst: number;
}

interface Bucket {
  tokens: number;
  atMs: number;
}

/** Token buckets by key, on a monotonic clock. When there are too many keys, the one that was used longest ago is forgotten. */
export class Buckets {
  readonly #rate: Rate;
  readonly #nowMs: () => number;
  readonly #keysMax: number;
  readonly #buckets = new Map<string, Bucket>();

  constructor(rate: Rate, nowMs: () => number, keysMax = 10_000) {
    this.#rate = rate;
    this.#nowMs = nowMs;
    this.#keysMax = keysMax;
  }

  get size(): number {
    return this.#buckets.size;
  }

  /** Takes one token. 0: there was one; else the time until there is, ms. */
  take(key: string): number {
    const { perSecond, burst } = this.#rate;
    const nowMs = this.#nowMs();
    const bucket = this.#buckets.get(key) ?? { tokens: burst, atMs: nowMs };
    bucket.tokens = Math.min(burst, bucket.tokens + ((nowMs - bucket.atMs) / 1000) * perSecond);
    bucket.atMs = nowMs;
    this.#buckets.delete(key);
    this.#buckets.set(key, bucket);
    if (this.#buckets.size > this.#keysMax) this.#buckets.delete(this.#buckets.keys().next().value!);
    if (bucket.tokens >= 1) {
      bucket.tokens -= 1;
      return 0;
    }
    return Math.ceil(((1 - bucket.tokens) / perSecond) * 1000);
  }
}
