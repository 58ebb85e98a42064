import { GraceError, toWireError } from '@grace/contracts';
import type { BrokerFrame, ClientFrame } from '../wire/frames.ts';
import { pack } from '../wire/payload.ts';
import { addToRanges, type Ranges } from '../wire/ranges.ts';
import type { Wire } from '../wire/wire.ts';
import type { Answers } from './delivered.ts';
import type { Window } from './outbox.ts';

/** One wire while it lasts: what it has been granted, and what is to be said on it at the next flush. */
export class Link implements Answers {
  readonly wire: Wire<BrokerFrame, ClientFrame>;
  /** Set by the broker's welcome; nothing is published before. */
  window: Window | undefined;
  closed = false;
  /** The broker does not take this wire. */
  refused = false;
  handled: Ranges = [];
  rejected: Ranges = [];
  replies: unknown[] = [];
  readonly #flushSoon: () => void;

  constructor(wire: Wire<BrokerFrame, ClientFrame>, flushSoon: () => void) {
    this.wire = wire;
    this.#flushSoon = flushSoon;
  }

  takeNews(): Pick<Link, 'handled' | 'rejected' | 'replies'> {
    const { handled, rejected, replies } = this;
    if (handled.length > 0) this.handled = [];
    if (rejected.length > 0) this.rejected = [];
    if (replies.length > 0) this.replies = [];
    return { handled, rejected, replies };
  }

  get hasNews(): boolean {
    return this.handled.length > 0 || this.rejected.length > 0 || this.replies.length > 0;
  }

  acknowledge(delivery: number, handled: boolean): void {
    if (this.closed) return;
    addToRanges(handled ? this.handled : this.rejected, delivery);
    this.#flushSoon();
  }

  /** @throws GraceError `BAD_INPUT` when the answer cannot travel */
  answer(delivery: number, ok: boolean, value: unknown): void {
    if (this.closed) return;
    this.replies.push(delivery, ok ? 1 : 0, ok ? pack(value) : packFailure(value));
    this.#flushSoon();
  }
}

/** An error must arrive even when its details cannot travel. */
function packFailure(error: unknown): unknown {
  const wire = toWireError(error);
  try {
    return pack(wire);
  } catch (failure) {
    if (!(failure instanceof GraceError)) throw failure;
    const { code, message } = wire;
    return pack({ code, message });
  }
}
