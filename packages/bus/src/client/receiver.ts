import type { SubscriptionPolicy } from '@grace/contracts';
import { BATCH_HEAD, BATCH_MESSAGES, type Batch, DELIVERY_FIELDS, DELIVERY_FLAGS, firstLane } from '../wire/frames.ts';
import { Lanes } from '../wire/lanes.ts';
import { Delivered } from './delivered.ts';
import type { Link } from './link.ts';
import { RecentDeliveries } from './recent-deliveries.ts';
import type { MessageHandler } from './types.ts';

export interface LocalSubscription {
  readonly number: number;
  readonly pattern: string;
  readonly handler: MessageHandler;
  readonly queue: string | null;
  readonly policy: SubscriptionPolicy | null;
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
      } else if (this.#recent.isRepeat(subscription.number, frame[at + 3] as string)) {
        this.dropped++;
        link.acknowledge(delivery, true);
      } else {
        this.received++;
        this.#call(subscription, new Delivered(frame, at, delivery, link), link, delivery);
      }
    }
  }

  #call(subscription: LocalSubscription, message: Delivered, link: Link, delivery: number): void {
    let result: unknown;
    try {
      result = subscription.handler(message);
    } catch (error) {
      this.#rejected(message, link, delivery, error);
      return;
    }
    if (typeof (result as Promise<void> | undefined)?.then !== 'function') {
      link.acknowledge(delivery, true);
      return;
    }
    (result as Promise<void>).then(
      () => link.acknowledge(delivery, true),
      (error: unknown) => this.#rejected(message, link, delivery, error),
    );
  }

  /** A request whose handler failed is answered with the failure, so that nobody waits for the deadline. */
  #rejected(message: Delivered, link: Link, delivery: number, error: unknown): void {
    message.fail(error);
    link.acknowledge(delivery, false);
  }
}

/** Subject, sender and time that are not said again are those of the message before. */
function inherit(frame: Batch, at: number): void {
  for (const field of [1, 4, 5]) frame[at + field] ??= frame[at + field - DELIVERY_FIELDS];
}
