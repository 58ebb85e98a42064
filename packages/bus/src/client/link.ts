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
  #naks: (number | string | null)[] = [];
  readonly #progress = new Set<number>();
  #confirms: number[] = [];
  /** Who waits to hear that an acknowledgement is on disk, by delivery. */
  readonly #confirming = new Map<
    number,
    { promise: Promise<void>; resolve: () => void; reject: (error: GraceError) => void }
  >();
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

  /** What is said about single deliveries goes before the batch that acknowledges them. */
  sendAsides(): void {
    if (this.#confirms.length > 0) this.wire.send(['confirm', ...this.#confirms.splice(0)]);
    if (this.#progress.size > 0) {
      this.wire.send(['progress', ...this.#progress]);
      this.#progress.clear();
    }
    if (this.#naks.length > 0) this.wire.send(['nak', ...this.#naks.splice(0)]);
  }

  nak(delivery: number, delayMs: number | null, words: string | null): void {
    if (this.closed) return;
    this.#naks.push(delivery, delayMs, words);
    this.#flushSoon();
  }

  progress(delivery: number): void {
    if (this.closed) return;
    this.#progress.add(delivery);
    this.#flushSoon();
  }

  confirm(delivery: number): Promise<void> {
    if (this.closed) return Promise.reject(new GraceError('BUS_CLOSED', 'the wire on which the message came is gone'));
    let waiting = this.#confirming.get(delivery);
    if (!waiting) {
      waiting = Promise.withResolvers<void>();
      this.#confirming.set(delivery, waiting);
      this.#confirms.push(delivery);
      this.#flushSoon();
    }
    return waiting.promise;
  }

  /** The broker says which acknowledgements are on disk. */
  settled([, ...entries]: Extract<BrokerFrame, { 0: 'settled' }>): void {
    for (let i = 0; i + 1 < entries.length; i += 2) {
      const waiting = this.#confirming.get(entries[i]!);
      this.#confirming.delete(entries[i]!);
      if (entries[i + 1] === 1) waiting?.resolve();
      else waiting?.reject(new GraceError('NOT_FOUND', 'the delivery is not kept any more: it was settled otherwise'));
    }
  }

  /** Nothing more is heard on it. */
  end(): void {
    this.closed = true;
    for (const { reject } of this.#confirming.values()) {
      reject(new GraceError('BUS_CLOSED', 'the wire broke before the acknowledgement was known to be on disk'));
    }
    this.#confirming.clear();
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
