import type { SubscriptionPolicy } from '@grace/contracts';
import { laneOf } from '../wire/frames.ts';
import { LANES, type Lane, Lanes } from '../wire/lanes.ts';
import type { Access } from './access-rules.ts';
import type { RoutedMessage } from './message.ts';

/** What may queue for one subscriber beside what it has unacknowledged; control has as much again for itself. */
export const QUEUE_MESSAGES = 1024;
export const QUEUE_BYTES = 8 * 1024 ** 2;

/** One message for one subscriber. */
export interface Delivery {
  readonly message: RoutedMessage;
  readonly subscription: BrokerSubscription;
  /** When it was sent, monotonic ms. */
  sentMono: number;
  /** Its number on the wire; 0 until it is sent. */
  number: number;
  /** Of a durable message: what keeps it. Such a delivery is settled when the disk knows. */
  readonly kept: Kept | null;
  /** Its place in the window was given back. */
  loosened: boolean;
  /** The client wants to know when it is settled. */
  watched: boolean;
}

/** What the durable part of the broker keeps of a message. */
export interface Kept {
  /** Times it was or may have been sent, this one included. */
  readonly sends: number;
}

let subscriptions = 0;

/** Whose subscription it is. */
export interface Subscriber {
  readonly access: Access;
  /** What it takes unacknowledged per subscription. */
  readonly creditMessages: number;
  readonly creditBytes: number;
  readonly subscriptions: Map<number, BrokerSubscription>;
  /** Subscriptions with messages that their windows let through. */
  readonly ready: Set<BrokerSubscription>;
  /** Sent and not acknowledged, by number. */
  readonly unacknowledged: Map<number, Delivery>;
  /** There is something to say to it. */
  announce(): void;
  /** It asked to be told when the acknowledgement of this delivery is on disk: it is, or never will be. */
  confirm(number: number, settled: boolean): void;
}

/** Part of a window: control has one for itself. */
interface Used {
  messages: number;
  bytes: number;
}

/** One subscriber: what waits for it, and what it has and has not acknowledged. */
export class BrokerSubscription {
  readonly connection: Subscriber;
  readonly number: number;
  readonly pattern: string;
  readonly group: string | null;
  readonly policy: SubscriptionPolicy;
  /** Part of the pattern is denied to the principal. */
  filtered: boolean;
  /** Member of a durable consumer: of durable subjects it gets what is kept, and no live copies. */
  readonly durable: boolean;
  /** Unlike that of any other subscription of this broker. */
  readonly identity: string;
  readonly queue = new Lanes<Delivery>();
  open = true;
  #queuedBytes = 0;
  readonly #unacknowledged: readonly [Used, Used] = [
    { messages: 0, bytes: 0 },
    { messages: 0, bytes: 0 },
  ];

  constructor(
    connection: Subscriber,
    number: number,
    pattern: string,
    group: string | null,
    policy: SubscriptionPolicy,
    filtered: boolean,
    durable = false,
  ) {
    this.connection = connection;
    this.number = number;
    this.pattern = pattern;
    this.group = group;
    this.policy = policy;
    this.filtered = filtered;
    this.durable = durable;
    this.identity = String(++subscriptions);
  }

  /** How busy it is, for the choice within a group. */
  get load(): number {
    return this.queue.size + this.#unacknowledged[0].messages + this.#unacknowledged[1].messages;
  }

  hasRoom(lane: Lane): boolean {
    if (lane === 0) return this.queue.lanes[0]!.size < QUEUE_MESSAGES;
    return this.queue.size - this.queue.lanes[0]!.size < QUEUE_MESSAGES && this.#queuedBytes < QUEUE_BYTES;
  }

  /**
   * Queues it. Under `drop-oldest` what is in the way goes: the oldest bulk, then the oldest normal; but normal never goes for bulk, and
   * control only for control.
   */
  push(delivery: Delivery, dropped: (delivery: Delivery) => void): void {
    const lane = laneOf(delivery.message.flags);
    while (this.policy === 'drop-oldest' && !this.hasRoom(lane)) {
      const oldest = lane === 0 ? this.#shift(0) : (this.#shift(2) ?? (lane === 1 ? this.#shift(1) : undefined));
      dropped(oldest ?? delivery);
      if (!oldest) return;
    }
    this.queue.push(lane, delivery);
    this.#queuedBytes += delivery.message.bytes;
  }

  /** The next of this lane that the subscriber's window lets through. */
  take(lane: Lane): Delivery | undefined {
    return this.#mayTake(lane) ? this.#shift(lane) : undefined;
  }

  sent({ message }: Delivery): void {
    const used = this.#unacknowledged[laneOf(message.flags) === 0 ? 0 : 1];
    used.messages++;
    used.bytes += message.bytes;
  }

  acknowledged({ message }: Delivery): void {
    const used = this.#unacknowledged[laneOf(message.flags) === 0 ? 0 : 1];
    used.messages--;
    used.bytes -= message.bytes;
  }

  /** Whether one more would go out at once: what is kept on disk waits there, and not in this queue. */
  mayGive(lane: Lane, bytes: number): boolean {
    const used = this.#unacknowledged[lane === 0 ? 0 : 1];
    const control = this.queue.lanes[0]!.size;
    const queued = lane === 0 ? control : this.queue.size - control;
    if (used.messages + queued === 0) return true;
    const { creditMessages, creditBytes } = this.connection;
    return used.messages + queued < creditMessages && used.bytes + this.#queuedBytes + bytes <= creditBytes;
  }

  canTake(): boolean {
    return LANES.some((lane) => this.#mayTake(lane));
  }

  /** Everything that still waits; the queue is empty afterwards. */
  drain(keep: (delivery: Delivery) => boolean = () => false): Delivery[] {
    const gone: Delivery[] = [];
    this.queue.filter((delivery) => {
      if (keep(delivery)) return true;
      this.#queuedBytes -= delivery.message.bytes;
      gone.push(delivery);
      return false;
    });
    return gone;
  }

  #mayTake(lane: Lane): boolean {
    const next = this.queue.lanes[lane]!.peek();
    if (!next) return false;
    const used = this.#unacknowledged[lane === 0 ? 0 : 1];
    const { creditMessages, creditBytes } = this.connection;
    return used.messages === 0 || (used.messages < creditMessages && used.bytes + next.message.bytes <= creditBytes);
  }

  #shift(lane: Lane): Delivery | undefined {
    const delivery = this.queue.shiftFrom(lane);
    if (delivery) this.#queuedBytes -= delivery.message.bytes;
    return delivery;
  }
}
