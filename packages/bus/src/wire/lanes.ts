import { PRIORITIES } from '@grace/contracts';

/** First in, first out; taking from the front costs the same at any length. */
export class Fifo<T> {
  #items: (T | undefined)[] = [];
  #head = 0;

  get size(): number {
    return this.#items.length - this.#head;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  peek(): T | undefined {
    return this.#items[this.#head];
  }

  shift(): T | undefined {
    if (this.#head === this.#items.length) return undefined;
    const item = this.#items[this.#head];
    this.#items[this.#head++] = undefined;
    if (this.#head === this.#items.length) {
      this.#items.length = 0;
      this.#head = 0;
    } else if (this.#head >= 1024 && this.#head * 2 >= this.#items.length) {
      this.#items.splice(0, this.#head);
      this.#head = 0;
    }
    return item;
  }

  *[Symbol.iterator](): Generator<T> {
    for (let i = this.#head; i < this.#items.length; i++) yield this.#items[i] as T;
  }

  /** Keeps only the items that pass, in their order. */
  filter(keep: (item: T) => boolean): void {
    this.#items = this.#items.slice(this.#head).filter((item) => keep(item as T));
    this.#head = 0;
  }
}

/** Position of a priority in `PRIORITIES`; a lower lane is served first. */
export type Lane = 0 | 1 | 2;
export const LANES = PRIORITIES.map((_, lane) => lane) as Lane[];

/** One queue per priority: control overtakes normal, normal overtakes bulk. */
export class Lanes<T> {
  readonly lanes: readonly Fifo<T>[] = LANES.map(() => new Fifo<T>());
  size = 0;

  push(lane: Lane, item: T): void {
    this.lanes[lane]!.push(item);
    this.size++;
  }

  /** The oldest of the most urgent. */
  shift(): T | undefined {
    for (const lane of this.lanes) {
      if (lane.size > 0) {
        this.size--;
        return lane.shift();
      }
    }
    return undefined;
  }

  shiftFrom(lane: Lane): T | undefined {
    const fifo = this.lanes[lane]!;
    if (fifo.size === 0) return undefined;
    this.size--;
    return fifo.shift();
  }

  filter(keep: (item: T) => boolean): void {
    this.size = 0;
    for (const lane of this.lanes) {
      lane.filter(keep);
      this.size += lane.size;
    }
  }

  *[Symbol.iterator](): Generator<T> {
    for (const lane of this.lanes) yield* lane;
  }
}
