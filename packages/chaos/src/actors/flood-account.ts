import type { ActorCounts } from './protocol.ts';

/** What both ends of a flood counted by themselves: what was accepted and not handled is owed, whatever the broker says. */
export class FloodAccount {
  sent = 0;
  /** Publishes without an answer. */
  open = 0;
  overloaded = 0;
  refused = 0;
  /** The broker may have kept it or not. */
  unknown = 0;
  /** The longest wait for an acceptance, ms. */
  slowestMs = 0;
  #owed = 0;
  #repeated = 0;
  readonly #accepted = new Set<number>();
  readonly #handled = new Set<number>();

  accepted(number: number): void {
    this.#accepted.add(number);
    if (!this.#handled.has(number)) this.#owed++;
  }

  handled(number: number): void {
    if (this.#handled.has(number)) {
      this.#repeated++;
      return;
    }
    this.#handled.add(number);
    if (this.#accepted.has(number)) this.#owed--;
  }

  /** Something may still come: an answer, or a message that was accepted. */
  get isSettled(): boolean {
    return this.open === 0 && this.#owed === 0;
  }

  counts(): ActorCounts {
    const { sent, overloaded, refused, unknown, slowestMs } = this;
    return {
      ...{ sent, overloaded, refused, unknown, slowestMs },
      accepted: this.#accepted.size,
      handled: this.#handled.size,
      repeated: this.#repeated,
      unhandled: this.#owed,
    };
  }
}
