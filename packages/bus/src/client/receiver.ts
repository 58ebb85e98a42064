import type { GraceError, SubscriptionPolicy } from '@grace/contracts';
import {
  BATCH_HEAD,
  BATCH_MESSAGES,
  type Batch,
  DELIVERY_FIELDS,
  DELIVERY_FLAGS,
  DURABLE_BIT,
  firstLane,
} from '../wire/frames.ts';
import { Lanes } from '../wire/lanes.ts';
import { Delivered } from './delivered.ts';
import type { Link } from './link.ts';
import { RecentDeliveries } from './recent-deliveries.ts';
import type { DurableSubscription, MessageHandler } from './types.ts';

export interface LocalSubscription {
  readonly number: number;
  readonly pattern: string;
  readonly handler: MessageHandler;
  readonly onEnd?: ((error: GraceError) => void) | undefined;
  readonly queue: string | null;
  readonly policy: SubscriptionPolicy | null;
  readonly durable?: DurableSubscription | false | null;
  /** The handler acknowledges by itself. */
  readonly isManual?: boolean;
}

interface Arrival {
  link: Link;
  frame: Batch;
}

/**
 * Hands arrived messages to their handlers: as they come while they are few, and when more than a batch has been handled one frame per turn of
 * the event loop, the frame with the most urgent message first. So control waits for at most one frame of anything else.
 */
export class Receiver {
  readonly subscriptions = new Map<number, LocalSubscription>();
  received = 0;
  dropped = 0;
  readonly #arrived = new Lanes<Arrival>();
  readonly #recent = new RecentDeliveries();
  /** Durable messages that were handled: what the broker did not hear of before the wire broke comes again. */
  readonly #handled = new RecentDeliveries();
  /** Durable messages that are being handled. */
  readonly #underWay = new Map<string, Delivered>();
  #handledInTurn = 0;
  #turn: NodeJS.Immediate | undefined;

  receive(link: Link, frame: Batch): void {
    const arrival = { link, frame };
    if (this.#arrived.size === 0 && this.#handledInTurn < BATCH_MESSAGES) {
      this.#handledInTurn += frame[2];
      this.#handle(arrival);
      return;
    }
    this.#arrived.push(firstLane(frame, DELIVERY_FLAGS), arrival);
    this.#turn ??= setImmediate(() => this.#next());
  }

  /** Messages that were handled before the wire broke may come again from the broker's successor. */
  expectRepeats(): void {
    this.#arrived.filter(() => false);
    this.#recent.expectRepeats();
    this.#handled.expectRepeats();
  }

  close(): void {
    this.subscriptions.clear();
    this.#arrived.filter(() => false);
    if (this.#turn) clearImmediate(this.#turn);
  }

  #next(): void {
    this.#turn = undefined;
    const arrival = this.#arrived.shift();
    this.#handledInTurn = arrival?.frame[2] ?? 0;
    if (this.#arrived.size > 0) this.#turn = setImmediate(() => this.#next());
    if (arrival) this.#handle(arrival);
  }

  #handle({ link, frame }: Arrival): void {
    const [, first, count] = frame;
    for (let i = 0; i < count; i++) {
      if (link.closed) return;
      const at = BATCH_HEAD + i * DELIVERY_FIELDS;
      const delivery = first + i;
      if (i > 0) inherit(frame, at);
      const subscription = this.subscriptions.get(frame[at] as number);
      if (!subscription) {
        this.dropped++;
        link.acknowledge(delivery, false);
      } else if (((frame[at + DELIVERY_FLAGS] as number) & DURABLE_BIT) !== 0) {
        this.#takeKept(subscription, new Delivered(frame, at, delivery, link), link, delivery);
      } else if (this.#recent.isRepeat(subscription.number, frame[at + 3] as string)) {
        this.dropped++;
        link.acknowledge(delivery, true);
      } else {
        this.received++;
        const message = new Delivered(frame, at, delivery, link);
        if (message.unreadable) message.rejected(message.unreadable);
        else this.#call(subscription, message);
      }
    }
  }

  /** What was handled on a wire that broke is acknowledged again, what is still being handled goes on: neither is handled twice. */
  #takeKept(subscription: LocalSubscription, message: Delivered, link: Link, delivery: number): void {
    const { number } = subscription;
    if (this.#handled.has(number, message.id)) {
      this.dropped++;
      message.ack();
      return;
    }
    const key = `${number} ${message.id}`;
    if (this.#underWay.get(key)?.comeAgain(delivery, link)) {
      this.dropped++;
      return;
    }
    this.received++;
    this.#underWay.set(key, message);
    message.onSaid = (handled) => {
      if (this.#underWay.get(key) === message) this.#underWay.delete(key);
      if (handled) this.#handled.remember(number, message.id);
    };
    if (message.unreadable) message.rejected(message.unreadable);
    else this.#call(subscription, message);
  }

  #call({ handler, isManual = false }: LocalSubscription, message: Delivered): void {
    let result: unknown;
    try {
      result = handler(message);
    } catch (error) {
      message.rejected(error);
      return;
    }
    if (typeof (result as Promise<void> | undefined)?.then !== 'function') {
      if (!isManual) message.ack();
      return;
    }
    (result as Promise<void>).then(
      () => {
        if (!isManual) message.ack();
      },
      (error: unknown) => message.rejected(error),
    );
  }
}

/** Subject, sender and time that are not said again are those of the message before. */
function inherit(frame: Batch, at: number): void {
  for (const field of [1, 4, 5]) frame[at + field] ??= frame[at + field - DELIVERY_FIELDS];
}
