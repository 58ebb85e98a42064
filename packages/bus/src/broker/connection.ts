import type { BusIdentity, ErrorCode, WireError } from '@grace/contracts';
import {
  ATTEMPT_MAX,
  ATTEMPT_SHIFT,
  BATCH_BYTES,
  BATCH_MESSAGES,
  type Batch,
  type BrokerFrame,
  type ClientFrame,
  DURABLE_BIT,
  FORM_BITS,
  MOVED_BIT,
  REFUSAL_FIELDS,
} from '../wire/frames.ts';
import { LANES, Lanes } from '../wire/lanes.ts';
import { pack } from '../wire/payload.ts';
import { append, type Ranges } from '../wire/ranges.ts';
import type { Wire } from '../wire/wire.ts';
import type { Access } from './access-rules.ts';
import type { Principal } from './door.ts';
import type { Ask, Asker, RoutedMessage } from './message.ts';
import type { BrokerSubscription, Delivery, Subscriber } from './subscription.ts';

/** The broker's side of one wire. Its twin is client/session.ts. */
export class Connection implements Subscriber, Asker {
  readonly wire: Wire<ClientFrame, BrokerFrame>;
  readonly identity: BusIdentity;
  readonly principal: Principal;
  access: Access;
  /** Said hello. */
  greeted = false;
  open = true;
  /** What the client takes unacknowledged per subscription. */
  creditMessages = 0;
  creditBytes = 0;
  readonly subscriptions = new Map<number, BrokerSubscription>();
  /** Subscriptions with messages that their windows let through. */
  readonly ready = new Set<BrokerSubscription>();
  /** Arrived and not looked at yet. */
  readonly inbox = new Lanes<Batch>();
  inboxMessages = 0;
  /** The turn in which it was last served, and the messages taken in it. */
  turn = -1;
  takenInTurn = 0;
  /** Messages of this client that wait for room, see held.ts. */
  heldMessages = 0;
  /** Sent and not acknowledged, by number. */
  readonly unacknowledged = new Map<number, Delivery>();
  /** Requests delivered here that may still be answered, by number of the delivery. */
  readonly grants = new Map<number, Ask>();
  /** Own requests that are not answered yet. */
  asking = 0;
  /** Muted senders hear of their refusals only now and then. */
  refusalsDueMono = 0;
  /** Buffers of the latest frame that are moved with it. */
  moves: ArrayBuffer[] = [];
  #accepted: Ranges = [];
  #refused: (number | ErrorCode | string | null)[] = [];
  #replies: unknown[] = [];
  #nextDelivery = 1;
  readonly #news: (connection: Connection) => void;

  constructor(
    wire: Wire<ClientFrame, BrokerFrame>,
    identity: BusIdentity,
    principal: Principal,
    access: Access,
    news: (connection: Connection) => void,
  ) {
    this.wire = wire;
    this.identity = identity;
    this.principal = principal;
    this.access = access;
    this.#news = news;
  }

  announce(): void {
    this.#news(this);
  }

  confirm(number: number, settled: boolean): void {
    if (this.open) this.wire.send(['settled', number, settled ? 1 : 0]);
  }

  accept(number: number): void {
    const ranges = this.#accepted;
    const last = ranges.length - 1;
    if (last > 0 && ranges[last] === number - 1) ranges[last] = number;
    else ranges.push(number, number);
  }

  /** Neighbours with the same code and words are told as one. */
  refuse(from: number, to: number, code: ErrorCode, words: string | null): void {
    const refused = this.#refused;
    const last = refused.length - REFUSAL_FIELDS;
    if (last >= 0 && refused[last + 1] === from - 1 && refused[last + 2] === code && refused[last + 3] === words) {
      refused[last + 1] = to;
    } else {
      refused.push(from, to, code, words);
    }
  }

  reply(number: number, ok: 0 | 1, value: unknown): void {
    this.#replies.push(number, ok, value);
    this.announce();
  }

  /** The broker's own answer. */
  fail(number: number, code: ErrorCode, message: string): void {
    this.reply(number, 0, pack({ code, message } satisfies WireError));
  }

  /** Whether refusals are to be said; acceptances make themselves heard. */
  get hasRefusals(): boolean {
    return this.#refused.length > 0;
  }

  /** Whether nothing but refusals is to be said. */
  get onlyRefusals(): boolean {
    return (
      this.#refused.length > 0 && this.#accepted.length === 0 && this.#replies.length === 0 && this.ready.size === 0
    );
  }

  /** The next frame, most urgent deliveries first; undefined when there is nothing to say. `expired` takes requests that are too late. */
  nextFrame(nowMono: number, expired: (delivery: Delivery) => void): Batch | undefined {
    const frame: Batch = ['batch', this.#nextDelivery, 0, 0, 0, 0];
    if (this.moves.length > 0) this.moves = [];
    if (this.ready.size > 0) this.#takeDeliveries(frame, nowMono, expired);
    const [accepted, refused, replies] = [this.#accepted, this.#refused, this.#replies];
    if (frame[2] + accepted.length + refused.length + replies.length === 0) return undefined;
    frame[3] = accepted.length;
    frame[4] = refused.length;
    frame[5] = replies.length;
    append(frame, accepted);
    append(frame, refused);
    append(frame, replies);
    if (accepted.length > 0) this.#accepted = [];
    if (refused.length > 0) this.#refused = [];
    if (replies.length > 0) this.#replies = [];
    return frame;
  }

  #takeDeliveries(frame: Batch, nowMono: number, expired: (delivery: Delivery) => void): void {
    let bytes = 0;
    let before: RoutedMessage | undefined;
    for (const lane of LANES) {
      for (const subscription of this.ready) {
        while (frame[2] < BATCH_MESSAGES && bytes < BATCH_BYTES) {
          const delivery = subscription.take(lane);
          if (!delivery) break;
          const { message } = delivery;
          if (message.expiresMono <= nowMono) {
            expired(delivery);
            continue;
          }
          bytes += message.bytes;
          this.#send(frame, delivery, before, nowMono);
          before = message;
        }
      }
    }
    for (const subscription of this.ready) if (!subscription.canTake()) this.ready.delete(subscription);
  }

  #send(frame: Batch, delivery: Delivery, before: RoutedMessage | undefined, nowMono: number): void {
    const { message, subscription } = delivery;
    const number = this.#nextDelivery++;
    delivery.sentMono = nowMono;
    delivery.number = number;
    subscription.sent(delivery);
    this.unacknowledged.set(number, delivery);
    if (message.ask) this.grants.set(number, message.ask);
    frame[2]++;
    frame.push(
      subscription.number,
      before?.subject === message.subject ? null : message.subject,
      delivery.kept
        ? message.flags | DURABLE_BIT | (Math.min(delivery.kept.sends, ATTEMPT_MAX) << ATTEMPT_SHIFT)
        : this.#mayMove(message)
          ? message.flags | MOVED_BIT
          : message.flags,
      message.id,
      before?.from === message.from ? null : message.from,
      before?.at === message.at ? null : message.at,
      message.ask ? message.deadlineMono : 0,
      message.extra,
      message.payload,
    );
  }

  #mayMove({ flags, sole, payload }: RoutedMessage): boolean {
    if ((flags & FORM_BITS) === 0 || !sole || this.wire.kind !== 'port' || !(payload instanceof Uint8Array))
      return false;
    this.moves.push(payload.buffer as ArrayBuffer);
    return true;
  }
}
