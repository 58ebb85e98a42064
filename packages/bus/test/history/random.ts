/** Numbers from a seed: the same seed, the same numbers. Mulberry32, public domain (Tommy Ettinger). */
export class Random {
  #state: number;

  constructor(seed: number) {
    // Neighbouring seeds must not begin alike.
    this.#state = Math.imul(seed ^ (seed >>> 15), 0x2c1b3c6d) ^ 0x297a2d39;
  }

  /** 0 <= x < 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = this.#state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }

  /** Whole, both ends included. */
  whole(min: number, max: number): number {
    return min + Math.floor(this.next() * (max - min + 1));
  }

  /** `undefined` from an empty list alone. */
  pick<T>(list: readonly T[]): T | undefined {
    return list[Math.floor(this.next() * list.length)];
  }

  shuffle<T>(list: readonly T[]): T[] {
    const left = [...list];
    return list.map(() => left.splice(Math.floor(this.next() * left.length), 1)[0]!);
  }
}

/** A number from 0 to 1 that is decided by the seed and these words alone: who draws when, and in which life, changes nothing. */
export function draw(seed: number, ...words: (string | number)[]): number {
  let hash = 0x811c9dc5 ^ seed;
  for (const char of words.join('\0')) hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193);
  return new Random(hash).next();
}
