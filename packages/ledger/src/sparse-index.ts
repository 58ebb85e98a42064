/** Marks kept before every second one is dropped: at 64 KiB apart 256 MiB of records, in some 200 KB of memory. */
const MOST = 4096;

/**
 * Some items of a long row, in the order of their `seq`, no two nearer to each other than a spacing; noted in any order. When there are too
 * many, every second is dropped and the spacing doubles, so that the memory stays the same however long the row becomes.
 */
export class SparseIndex<Item extends { seq: number }> {
  readonly #distance: (before: Item, behind: Item) => number;
  readonly #most: number;
  #spacing: number;
  #items: Item[] = [];

  /** `distance` in the unit of `spacing`. */
  constructor(spacing: number, distance: (before: Item, behind: Item) => number, most = MOST) {
    this.#spacing = spacing;
    this.#distance = distance;
    this.#most = most;
  }

  get size(): number {
    return this.#items.length;
  }

  note(item: Item): void {
    const items = this.#items;
    const newest = items.at(-1);
    const at = newest && item.seq <= newest.seq ? this.#countUpTo(item.seq) : items.length;
    const before = items[at - 1];
    const behind = items[at];
    if (before && this.#distance(before, item) < this.#spacing) return;
    if (behind && this.#distance(item, behind) < this.#spacing) return;
    items.splice(at, 0, item);
    if (items.length <= this.#most) return;
    this.#items = items.filter((_, i) => i % 2 === 0);
    this.#spacing *= 2;
  }

  /** The last item at or before `seq`. */
  before(seq: number): Item | undefined {
    return this.#items[this.#countUpTo(seq) - 1];
  }

  /** The first item behind `seq`. */
  behind(seq: number): Item | undefined {
    return this.#items[this.#countUpTo(seq)];
  }

  #countUpTo(seq: number): number {
    let low = 0;
    let high = this.#items.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#items[middle]!.seq <= seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
