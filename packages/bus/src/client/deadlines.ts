/** One timer for any number of deadlines: it goes off at the earliest, and `sweep` says when the next one is. */
export class Deadlines {
  readonly #nowMono: () => number;
  /** Settles what is due; returns the earliest deadline left, or undefined. */
  readonly #sweep: (nowMono: number) => number | undefined;
  #timer: NodeJS.Timeout | undefined;
  #dueMono = Number.POSITIVE_INFINITY;

  constructor(nowMono: () => number, sweep: (nowMono: number) => number | undefined) {
    this.#nowMono = nowMono;
    this.#sweep = sweep;
  }

  watch(deadlineMono: number, nowMono: number): void {
    if (deadlineMono >= this.#dueMono) return;
    clearTimeout(this.#timer);
    this.#dueMono = deadlineMono;
    this.#timer = setTimeout(() => this.#due(), Math.max(1, Math.ceil(deadlineMono - nowMono)));
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#dueMono = Number.POSITIVE_INFINITY;
  }

  #due(): void {
    this.#dueMono = Number.POSITIVE_INFINITY;
    const next = this.#sweep(this.#nowMono());
    if (next !== undefined) this.watch(next, this.#nowMono());
  }
}
