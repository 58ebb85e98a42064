import type { CoreEvent } from '../../src/core/events.ts';

/** Something that happens once, and that any number of people wait for. */
export class Outcome {
  #value: CoreEvent | null = null;
  #waiting: ((value: CoreEvent) => void)[] = [];

  settle(value: CoreEvent): void {
    if (this.#value) return;
    this.#value = value;
    for (const act of this.#waiting) act(value);
    this.#waiting = [];
  }

  wait(act: (value: CoreEvent) => void): void {
    if (this.#value) act(this.#value);
    else this.#waiting.push(act);
  }
}
