import { BATCH_BYTES, BATCH_MESSAGES } from '../wire/frames.ts';
import { LANES, Lanes } from '../wire/lanes.ts';
import type { Pending } from './pending.ts';

/** What may be on the way to the broker undecided, per priority, so that bulk cannot use up the window of control. */
export interface Window {
  messages: number;
  bytes: number;
}

/**
 * Messages on their way to a decision of the broker: waiting here, or sent and undecided. Bounded; numbered when they are sent, so numbers
 * on the wire have no gaps.
 */
export class Outbox {
  readonly #waiting = new Lanes<Pending>();
  readonly #sent = new Map<number, Pending>();
  readonly #used: Window[] = LANES.map(() => ({ messages: 0, bytes: 0 }));
  readonly #limitMessages: number;
  readonly #limitBytes: number;
  #waitingBytes = 0;
  #next = 1;

  constructor(limitMessages: number, limitBytes: number) {
    this.#limitMessages = limitMessages;
    this.#limitBytes = limitBytes;
  }

  get size(): number {
    return this.#waiting.size;
  }

  get undecided(): number {
    return this.#sent.size;
  }

  hasRoom(bytes: number): boolean {
    return (
      this.#waiting.size < this.#limitMessages &&
      (this.#waitingBytes + bytes <= this.#limitBytes || this.#waiting.size === 0)
    );
  }

  push(pending: Pending): void {
    this.#waitingBytes += pending.bytes;
    this.#waiting.push(pending.lane, pending);
  }

  /** The next messages for one frame, most urgent first, as far as the windows reach. */
  take(window: Window): { first: number; messages: Pending[] } {
    const first = this.#next;
    const messages: Pending[] = [];
    let bytes = 0;
    for (const lane of LANES) {
      const fifo = this.#waiting.lanes[lane]!;
      const used = this.#used[lane]!;
      while (messages.length < BATCH_MESSAGES && bytes < BATCH_BYTES) {
        const pending = fifo.peek();
        if (!pending) break;
        if (used.messages >= window.messages || (used.messages > 0 && used.bytes + pending.bytes > window.bytes)) break;
        this.#waiting.shiftFrom(lane);
        this.#waitingBytes -= pending.bytes;
        if (pending.settled) continue;
        used.messages++;
        used.bytes += pending.bytes;
        bytes += pending.bytes;
        this.#sent.set(this.#next++, pending);
        messages.push(pending);
      }
    }
    return { first, messages };
  }

  /** The broker has decided on this number. */
  decide(number: number): Pending | undefined {
    const pending = this.#sent.get(number);
    if (!pending) return undefined;
    this.#sent.delete(number);
    const used = this.#used[pending.lane]!;
    used.messages--;
    used.bytes -= pending.bytes;
    return pending;
  }

  /** The wire is gone: what was sent and not decided waits again, before everything younger. Returns how many. */
  rewind(mark: (pending: Pending) => void): number {
    const again = [...this.#sent.values()].filter((pending) => !pending.settled);
    const younger = [...this.#waiting];
    this.#sent.clear();
    for (const used of this.#used) {
      used.messages = 0;
      used.bytes = 0;
    }
    this.#waiting.filter(() => false);
    this.#waitingBytes = 0;
    for (const pending of again) {
      mark(pending);
      this.push(pending);
    }
    for (const pending of younger) this.push(pending);
    return again.length;
  }

  /** Forgets settled messages that wait; sent ones stay until the broker has decided. */
  sweep(): void {
    this.#waiting.filter((pending) => {
      if (pending.settled) this.#waitingBytes -= pending.bytes;
      return !pending.settled;
    });
  }

  *waiting(): Generator<Pending> {
    yield* this.#waiting;
  }

  *sent(): Generator<Pending> {
    yield* this.#sent.values();
  }
}
