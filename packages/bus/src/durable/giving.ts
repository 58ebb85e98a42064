import type { Clock } from '@grace/contracts';
import type { RoutedMessage } from '../broker/message.ts';
import type { Router } from '../broker/router.ts';
import { chooseMember } from '../broker/routes.ts';
import { chooseByKey } from '../broker/sticky.ts';
import type { BrokerSubscription, Delivery } from '../broker/subscription.ts';
import { laneOf } from '../wire/frames.ts';
import { type Item, type KeptMessage, revive } from './block.ts';
import { type Consumer, orderOf } from './consumer.ts';
import type { Line } from './line.ts';
import type { Settling } from './settling.ts';
import type { Page } from './storage/orders.ts';
import type { Storage } from './storage.ts';

/** Blocks asked for at once; a page ends sooner when it is large. */
const PAGE_BLOCKS = 64;
/** Timers of redelivery are no finer than this. */
const TICK_MS = 10;

export interface GivingParts {
  storage: Storage;
  settling: Settling;
  router: Router;
  clock: Clock;
  /** A message from disk, as the broker routes it. */
  route(message: KeptMessage): RoutedMessage;
}

/** Sends durable messages to the members of their consumers, fetches the next from disk, and sends again what was not acknowledged. */
export class Giving {
  readonly #parts: GivingParts;
  readonly #due = new Set<Consumer>();
  readonly #watched = new Set<Consumer>();
  #timer: NodeJS.Timeout | undefined;
  #timerMono = Number.POSITIVE_INFINITY;
  #giving = false;
  #closed = false;
  redelivered = 0;

  constructor(parts: GivingParts) {
    this.#parts = parts;
  }

  /** There may be something to send; it goes out when this task is over. */
  soon(consumer: Consumer): void {
    if (consumer.members.length === 0 || !consumer.kept || consumer.closed || this.#closed) return;
    this.#due.add(consumer);
    if (this.#giving) return;
    this.#giving = true;
    queueMicrotask(() => {
      this.#giving = false;
      const due = [...this.#due];
      this.#due.clear();
      for (const one of due) this.#give(one);
    });
  }

  /** An attempt came to nothing: another follows after `delayMs`, or at the consumer's pace; after the last one it is dead. */
  failed(consumer: Consumer, item: Item, reason: string, error: string | null, delayMs?: number): void {
    if (item.outcome !== undefined || item.state !== 'given') return;
    const { settings } = consumer.description;
    consumer.given.delete(item);
    item.failures++;
    item.reason = reason;
    item.error = error;
    if (item.failures >= settings.maxAttempts) {
      this.#parts.settling.settle(item, 'dead');
      return;
    }
    this.#parts.settling.failed(item);
    const pauseMs = delayMs ?? settings.backoffMs[Math.min(item.failures, settings.backoffMs.length) - 1] ?? 0;
    if (pauseMs <= 0) this.#again(consumer, item);
    else {
      item.state = 'delayed';
      item.dueMono = this.#parts.clock.monoMs() + pauseMs;
      consumer.delayed.add(item);
      this.#watch(consumer, item.dueMono);
    }
  }

  /** It was put in the queue of a member that is gone before it was sent. */
  returned(consumer: Consumer, delivery: Delivery): void {
    const item = delivery.kept as Item;
    item.deliveries = item.deliveries.filter((one) => one !== delivery);
    if (item.outcome !== undefined || item.state !== 'given') return;
    consumer.given.delete(item);
    item.sends--;
    this.#again(consumer, item);
  }

  /** The subscriber is still at it. */
  inProgress(consumer: Consumer, item: Item): void {
    if (item.state !== 'given') return;
    item.dueMono = this.#parts.clock.monoMs() + consumer.description.settings.ackWaitMs;
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  #again(consumer: Consumer, item: Item): void {
    if (consumer.description.settings.ordered) consumer.busy.delete(orderOf(item));
    consumer.lines[laneOf(item.message.flags)]!.requeue(item);
    this.soon(consumer);
  }

  #give(consumer: Consumer): void {
    const nowMono = this.#parts.clock.monoMs();
    for (const line of consumer.lines) {
      const passedOver = new Set<string>();
      if (line.again.length > 0) {
        const items = line.again;
        line.again = [];
        line.again = items.filter((item) => !this.#tryGive(consumer, item, nowMono, passedOver)).concat(line.again);
      }
      const { ready } = line;
      if (consumer.description.settings.ordered || (line.keyed && consumer.members.length > 1)) {
        ready.filter((item) => !this.#tryGive(consumer, item, nowMono, passedOver));
      } else {
        for (let item = ready.peek(); item && this.#tryGive(consumer, item, nowMono, passedOver); item = ready.peek())
          ready.shift();
      }
      if (line.wantsPage) this.#page(consumer, line);
    }
  }

  /** True when the item is no longer to be given: it is with a member, or over. */
  #tryGive(consumer: Consumer, item: Item, nowMono: number, passedOver: Set<string>): boolean {
    const { message } = item;
    if (item.outcome !== undefined) return true;
    if (message.expiresMs !== 0 && message.expiresMs <= this.#parts.clock.wallMs()) {
      this.#parts.settling.settle(item, 'expired');
      return true;
    }
    const { ordered, ackWaitMs } = consumer.description.settings;
    const order = ordered ? orderOf(item) : '';
    if (ordered && (consumer.busy.has(order) || passedOver.has(order))) return false;
    const member = this.#member(consumer, message);
    if (!member) {
      if (ordered) passedOver.add(order);
      return false;
    }
    if (ordered) consumer.busy.add(order);
    item.state = 'given';
    if (++item.sends > 1) this.redelivered++;
    item.dueMono = nowMono + ackWaitMs;
    consumer.given.add(item);
    const delivery = this.#parts.router.give(member, message, item);
    item.deliveries.push(delivery);
    this.#watch(consumer, item.dueMono);
    return true;
  }

  #member(consumer: Consumer, message: RoutedMessage): BrokerSubscription | undefined {
    const lane = laneOf(message.flags);
    const hasRoom = (member: BrokerSubscription): boolean =>
      member.open &&
      member.mayGive(lane, message.bytes) &&
      (!member.filtered || member.connection.access.mayReceive(message.subject));
    const { members } = consumer;
    if (message.key !== null && members.length > 1) {
      const chosen = chooseByKey(members, message.key);
      return chosen && hasRoom(chosen) ? chosen : undefined;
    }
    return chooseMember(members, members.length > 1 ? ++consumer.turn : 0, hasRoom);
  }

  #page(consumer: Consumer, line: Line): void {
    line.paging = true;
    const from = line.loadedTo + 1;
    const { sentTo } = line;
    this.#parts.storage.send<Page>(
      { t: 'page', line: line.number, from, blocks: PAGE_BLOCKS, isSent: true },
      ({ rows, end }) => {
        line.paging = false;
        if (consumer.closed) return;
        line.paged(
          rows.map((row) => revive(line.number, row, sentTo, this.#parts.route)),
          end,
        );
        this.soon(consumer);
      },
      () => {
        line.paging = false;
        setTimeout(() => this.soon(consumer), 1000).unref();
      },
    );
  }

  #watch(consumer: Consumer, dueMono: number): void {
    this.#watched.add(consumer);
    if (dueMono >= this.#timerMono || this.#closed) return;
    clearTimeout(this.#timer);
    this.#timerMono = dueMono;
    this.#timer = setTimeout(() => this.#tick(), Math.max(TICK_MS, dueMono - this.#parts.clock.monoMs())).unref();
  }

  #tick(): void {
    this.#timerMono = Number.POSITIVE_INFINITY;
    const nowMono = this.#parts.clock.monoMs();
    let next = Number.POSITIVE_INFINITY;
    for (const consumer of this.#watched) {
      for (const item of consumer.delayed) {
        if (item.dueMono > nowMono) {
          next = Math.min(next, item.dueMono);
          continue;
        }
        consumer.delayed.delete(item);
        this.#again(consumer, item);
      }
      for (const item of consumer.given) {
        if (item.dueMono > nowMono) {
          next = Math.min(next, item.dueMono);
          continue;
        }
        // The window is given back; a late acknowledgement still counts.
        for (const delivery of item.deliveries) this.#parts.router.loosen(delivery);
        this.failed(consumer, item, 'unacknowledged', null);
      }
      if (consumer.delayed.size === 0 && consumer.given.size === 0) this.#watched.delete(consumer);
    }
    for (const consumer of this.#watched) {
      if (next < Number.POSITIVE_INFINITY) this.#watch(consumer, next);
    }
  }
}
