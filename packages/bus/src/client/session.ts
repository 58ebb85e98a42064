import { type Clock, fromWireError, GraceError, type WireError } from '@grace/contracts';
import { type Batch, type BrokerFrame, BUS_PROTOCOL, type ClientFrame, SEEN_BIT } from '../wire/frames.ts';
import type { Wire } from '../wire/wire.ts';
import { Deadlines } from './deadlines.ts';
import { decide, sendBatches } from './exchange.ts';
import { Link } from './link.ts';
import { Muted, mutedError } from './muted.ts';
import { Outbox } from './outbox.ts';
import type { Pending } from './pending.ts';
import { type LocalSubscription, Receiver } from './receiver.ts';
import type { BusClientCounters } from './types.ts';

export interface SessionOptions {
  outboxLimit: number;
  creditMessages: number;
  creditBytes: number;
  clock: Clock;
}

/** How a wire ended: whether the broker had welcomed it, or refused it. */
export interface LinkEnd {
  welcomed: boolean;
  refused: boolean;
}

/** Payload bytes that may wait in the outbox. */
const OUTBOX_BYTES = 64 * 1024 ** 2;
/** The broker's own answer at the deadline says more than ours; it gets this long to arrive. */
const ANSWER_GRACE_MS = 100;

/** Ends of subscriptions that may wait for a wire. */
const OWED_LIMIT = 4096;

interface Asked {
  readonly subscription: LocalSubscription;
  readonly deadlineMono: number;
  readonly resolve: () => void;
  readonly reject: (error: GraceError) => void;
}

/** What outlives a wire: subscriptions, messages not yet decided, requests not yet answered. A new wire is told all of it again. */
export class Session {
  readonly #options: SessionOptions;
  readonly #outbox: Outbox;
  readonly #receiver = new Receiver();
  /** Accepted requests whose answer is outstanding, by their number on the wire. */
  readonly #requests = new Map<number, Pending>();
  readonly #subscribing = new Map<number, Asked>();
  readonly #deadlines: Deadlines;
  /** Ended while there was no wire to say so. */
  readonly #owed: LocalSubscription[] = [];
  readonly #muted: Muted;
  readonly #counters = { published: 0, accepted: 0, refused: 0, overloaded: 0, reconnects: 0, resent: 0 };
  #link: Link | undefined;
  #welcomes = 0;
  #maxPayloadBytes = Number.POSITIVE_INFINITY;
  #closed = false;
  /** Why nothing can be sent any more, until another wire is given. */
  #refusal: WireError | undefined;
  #flushing = false;

  constructor(options: SessionOptions) {
    this.#options = options;
    this.#outbox = new Outbox(options.outboxLimit, OUTBOX_BYTES);
    this.#muted = new Muted(
      {
        tell: (counts) => {
          if (!this.#link?.window) return false;
          this.#link.wire.send(['withheld', ...counts]);
          return true;
        },
        refuse: (pending, error) => this.#refuse(pending, error),
      },
      options.outboxLimit,
    );
    this.#deadlines = new Deadlines(options.clock.monoMs, (nowMono) => this.#sweep(nowMono));
  }

  get connected(): boolean {
    return this.#link?.window !== undefined;
  }

  /** Uses this wire from now on; an earlier one is ended. */
  connect(wire: Wire<BrokerFrame, ClientFrame>, token: string | null, onEnd?: (end: LinkEnd) => void): void {
    if (this.#closed) {
      wire.close();
      return;
    }
    this.disconnect();
    this.#refusal = undefined;
    const link = new Link(wire, () => this.#flushSoon());
    this.#link = link;
    wire.open({
      onFrame: (frame) => this.#receive(link, frame),
      onClose: () => {
        if (this.#link === link) this.disconnect();
        onEnd?.({ welcomed: link.window !== undefined, refused: link.refused });
      },
    });
    wire.send(['hello', BUS_PROTOCOL, this.#options.creditMessages, this.#options.creditBytes, token]);
  }

  disconnect(): void {
    const link = this.#link;
    if (!link) return;
    this.#link = undefined;
    // The next broker tells it again.
    this.#muted.until(0);
    link.end();
    link.wire.close();
    this.#receiver.expectRepeats();
    if (link.wire.kind === 'port') this.#refuseMoved();
    this.#counters.resent += this.#outbox.rewind((pending) => {
      pending.flags |= SEEN_BIT;
    });
    for (const request of this.#requests.values()) {
      this.#refuse(
        request,
        new GraceError('BUS_CLOSED', `the broker went away before "${request.subject}" was answered`),
      );
    }
    this.#requests.clear();
  }

  /** What was moved to the broker cannot be sent again. */
  #refuseMoved(): void {
    for (const pending of this.#outbox.sent()) {
      if (!pending.moves) continue;
      const words = `the wire broke before "${pending.subject}" was accepted, and its buffer went with it`;
      this.#refuse(pending, new GraceError('BUS_CLOSED', words));
    }
  }

  send(pending: Pending, nowMono: number): void {
    this.#counters.published++;
    const refusal = this.#refusalOf(pending);
    if (refusal) {
      this.#refuse(pending, refusal);
      return;
    }
    if (this.#muted.isOn(nowMono)) {
      this.#muted.hold(pending);
      return;
    }
    this.#outbox.push(pending);
    this.#deadlines.watch(pending.deadlineMono, nowMono);
    this.#flushSoon();
  }

  subscribe(subscription: LocalSubscription, deadlineMono: number): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(new GraceError('BUS_CLOSED'));
      if (this.#refusal) return reject(fromWireError(this.#refusal));
      this.#receiver.subscriptions.set(subscription.number, subscription);
      this.#subscribing.set(subscription.number, { subscription, deadlineMono, resolve, reject });
      this.#deadlines.watch(deadlineMono, this.#options.clock.monoMs());
      if (this.#link?.window) this.#ask(this.#link, subscription);
    });
  }

  unsubscribe(number: number): void {
    const subscription = this.#receiver.subscriptions.get(number);
    if (!subscription) return;
    this.#receiver.subscriptions.delete(number);
    if (this.#link?.window) this.#link.wire.send(['unsubscribe', number]);
    // A durable consumer outlives the wire: the next broker must hear that it is over.
    else if (!this.#subscribing.has(number) && this.#owed.length < OWED_LIMIT) this.#owed.push(subscription);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#muted.flush();
    if (this.#link?.window) this.#flush();
    this.#fail(new GraceError('BUS_CLOSED'));
    this.disconnect();
    this.#receiver.close();
    this.#deadlines.close();
  }

  counters(): BusClientCounters {
    return {
      ...this.#counters,
      received: this.#receiver.received,
      dropped: this.#receiver.dropped,
      outbox: this.#outbox.size + this.#outbox.undecided,
    };
  }

  #refusalOf({ bytes, subject }: Pending): GraceError | undefined {
    if (this.#closed) return new GraceError('BUS_CLOSED');
    if (this.#refusal) return fromWireError(this.#refusal);
    if (bytes > this.#maxPayloadBytes) {
      return new GraceError('BUS_TOO_LARGE', `"${subject}": ${bytes} bytes, the bus carries ${this.#maxPayloadBytes}`);
    }
    if (this.#outbox.hasRoom(bytes)) return undefined;
    return new GraceError(
      'BUS_OVERLOADED',
      `"${subject}": the outbox of this client is full (${this.#outbox.size} messages)`,
    );
  }

  #receive(link: Link, frame: BrokerFrame): void {
    if (this.#link !== link) return;
    switch (frame[0]) {
      case 'welcome':
        link.window = {
          messages: Math.min(frame[2], this.#options.creditMessages),
          bytes: Math.min(frame[3], this.#options.creditBytes),
        };
        this.#maxPayloadBytes = frame[4];
        if (this.#welcomes++ > 0) this.#counters.reconnects++;
        for (const subscription of this.#receiver.subscriptions.values()) this.#ask(link, subscription);
        for (const subscription of this.#owed.splice(0)) {
          this.#ask(link, subscription);
          link.wire.send(['unsubscribe', subscription.number]);
        }
        this.#flush();
        return;
      case 'subscribed':
        this.#subscribed(frame[1], frame[2]);
        return;
      case 'muted':
        this.#mute(frame[1]);
        return;
      case 'settled':
        link.settled(frame);
        return;
      case 'refused':
        this.#refusal = frame[1];
        link.refused = true;
        this.#fail(fromWireError(frame[1]));
        return;
      case 'batch':
        this.#settle(link, frame);
        return;
    }
  }

  /** What waits here will not be sent either. */
  #mute(untilMono: number): void {
    this.#muted.until(untilMono);
    if (!this.#muted.isOn(this.#options.clock.monoMs())) return;
    for (const pending of this.#outbox.waiting()) {
      if (pending.settled) continue;
      this.#muted.count(pending.subject);
      this.#refuse(pending, mutedError(pending));
    }
    this.#outbox.sweep();
    this.#muted.flush();
  }

  #settle(link: Link, frame: Batch): void {
    const { accepted, refused, overloaded } = decide(frame, this.#outbox, this.#requests);
    this.#counters.accepted += accepted;
    this.#counters.refused += refused;
    this.#counters.overloaded += overloaded;
    if (frame[2] > 0) this.#receiver.receive(link, frame);
    if (this.#outbox.size > 0) this.#flushSoon();
  }

  #ask(link: Link, { number, pattern, queue, policy, durable = null }: LocalSubscription): void {
    link.wire.send(['subscribe', number, pattern, queue, policy, durable]);
  }

  #subscribed(number: number, error: WireError | null): void {
    const asked = this.#subscribing.get(number);
    const { onEnd } = this.#receiver.subscriptions.get(number) ?? {};
    this.#subscribing.delete(number);
    if (error) this.#receiver.subscriptions.delete(number);
    if (!error) asked?.resolve();
    else if (asked) asked.reject(fromWireError(error));
    else onEnd?.(fromWireError(error));
  }

  #flushSoon(): void {
    if (this.#flushing || !this.#link?.window) return;
    this.#flushing = true;
    queueMicrotask(() => {
      this.#flushing = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#link?.window) sendBatches(this.#link, this.#link.window, this.#outbox);
  }

  #refuse(pending: Pending, error: GraceError): void {
    if (pending.settled) return;
    pending.settled = true;
    this.#counters.refused++;
    if (error.code === 'BUS_OVERLOADED') this.#counters.overloaded++;
    pending.reject(error);
  }

  /** Rejects everything that waits. */
  #fail(error: GraceError): void {
    for (const pending of this.#outbox.waiting()) this.#refuse(pending, error);
    for (const pending of this.#outbox.sent()) this.#refuse(pending, error);
    for (const pending of this.#requests.values()) this.#refuse(pending, error);
    for (const [number, asked] of this.#subscribing) {
      this.#receiver.subscriptions.delete(number);
      asked.reject(error);
    }
    this.#subscribing.clear();
    this.#requests.clear();
    this.#outbox.sweep();
  }

  #sweep(nowMono: number): number | undefined {
    let next = Number.POSITIVE_INFINITY;
    const check = (pending: Pending, deadlineMono: number, error: () => GraceError): void => {
      if (pending.settled) return;
      if (deadlineMono <= nowMono) this.#refuse(pending, error());
      else next = Math.min(next, deadlineMono);
    };
    const late = (pending: Pending, what: string): GraceError =>
      new GraceError('BUS_DEADLINE', `"${pending.subject}" ${what} in time`);
    for (const pending of this.#outbox.waiting()) {
      check(pending, pending.deadlineMono, () =>
        this.connected
          ? new GraceError('BUS_OVERLOADED', `"${pending.subject}": the window to the broker stayed used up`)
          : late(pending, 'found no broker'),
      );
    }
    for (const pending of this.#outbox.sent()) {
      check(pending, pending.deadlineMono + ANSWER_GRACE_MS, () => late(pending, 'was not accepted'));
    }
    for (const pending of this.#requests.values()) {
      check(pending, pending.deadlineMono, () => late(pending, 'was not answered'));
    }
    for (const [number, asked] of this.#subscribing) {
      if (asked.deadlineMono > nowMono) {
        next = Math.min(next, asked.deadlineMono);
        continue;
      }
      this.#subscribing.delete(number);
      this.unsubscribe(number);
      asked.reject(
        new GraceError('BUS_DEADLINE', `the subscription to "${asked.subscription.pattern}" was not answered in time`),
      );
    }
    this.#outbox.sweep();
    for (const [number, request] of this.#requests) if (request.settled) this.#requests.delete(number);
    return next === Number.POSITIVE_INFINITY ? undefined : next;
  }
}
