import type { Clock, ErrorCode } from '@grace/contracts';
import { laneOf } from '../wire/frames.ts';
import type { Lane } from '../wire/lanes.ts';
import type { Connection } from './connection.ts';
import { type HeldQueue, HeldQueues } from './held.ts';
import { bucketOf } from './latency.ts';
import type { RoutedMessage } from './message.ts';
import { chooseFor, chooseMember, type Route, type Routes } from './routes.ts';
import type { BrokerSubscription, Delivery, Kept } from './subscription.ts';

/** Messages of one connection that may be held for room: the windows of all priorities. */
const HELD_LIMIT = 4096;

/** What the router tells about deliveries of durable messages. */
export interface KeptDeliveries {
  acknowledged(delivery: Delivery, outcome: 'handled' | 'rejected'): void;
  /** It was not sent, and will not be on this subscription. */
  returned(delivery: Delivery): void;
  /** Its window has room again. */
  freed(subscription: BrokerSubscription): void;
}

/**
 * Takes a message that passed the door to its subscribers' queues, or holds it while one has no room, and keeps the accounts of every delivery
 * until it is handled, rejected or expired.
 */
export class Router {
  readonly #routes: Routes;
  readonly #held = new HeldQueues();
  /** The durable part, where there is one: it settles what it keeps. */
  kept: KeptDeliveries | undefined;
  /** Subscriptions that got room while messages are held for them. */
  readonly #relieved = new Set<BrokerSubscription>();
  readonly #clock: Clock;
  /** A request was accepted: it may be told a moment later, with the answer. */
  readonly #newsWithAnswer: (connection: Connection) => void;

  constructor(routes: Routes, clock: Clock, newsWithAnswer: (connection: Connection) => void) {
    this.#routes = routes;
    this.#clock = clock;
    this.#newsWithAnswer = newsWithAnswer;
  }

  get holding(): boolean {
    return this.#held.any;
  }

  /** Decides at once where it can; a held message is decided by its deadline. */
  offer(connection: Connection, number: number, message: RoutedMessage, acceptByMono: number): void {
    let queue = this.#held.find(connection, message);
    if (!queue) {
      const blockers = this.#route(connection, number, message);
      if (!blockers) return;
      queue = this.#held.open(connection, message);
      this.#held.wait(queue, blockers);
    }
    if (connection.heldMessages >= HELD_LIMIT) {
      this.#refuse(connection, number, 'BUS_OVERLOADED', 'this client has too many messages waiting for room');
      return;
    }
    connection.heldMessages++;
    queue.messages.push({ number, message, acceptByMono });
  }

  /** The message was accepted before; only the answer got lost. */
  acceptAgain(connection: Connection, number: number): void {
    connection.accept(number);
    connection.announce();
  }

  /** Retries what is held for subscriptions that got room or are gone. */
  retry(): void {
    for (const subscription of [...this.#relieved]) {
      this.#relieved.delete(subscription);
      for (const queue of this.#held.waitingFor(subscription)) this.#advance(queue);
    }
  }

  /** Refuses held messages whose deadline has passed. */
  expireHeld(nowMono: number): void {
    for (const queue of this.#held.all()) {
      const { connection } = queue;
      queue.messages.filter(({ number, message, acceptByMono }) => {
        if (acceptByMono > nowMono) return true;
        connection.heldMessages--;
        this.#refuse(
          connection,
          number,
          'BUS_OVERLOADED',
          `a subscriber of "${message.subject}" stayed too far behind`,
        );
        return false;
      });
      if (queue.messages.size === 0) this.#held.close(queue);
    }
  }

  /** The subscriber has said what became of a delivery. */
  settle(delivery: Delivery, outcome: 'handled' | 'rejected' | 'expired'): void {
    if (delivery.kept) {
      this.kept!.acknowledged(delivery, outcome === 'handled' ? outcome : 'rejected');
      return;
    }
    delivery.message.account[outcome]++;
    this.#free(delivery);
  }

  /** Gives a durable message to a member of its consumer, who has room for it. */
  give(subscription: BrokerSubscription, message: RoutedMessage, kept: Kept): Delivery {
    const delivery = deliveryOf(subscription, message, kept);
    this.#queue(delivery);
    return delivery;
  }

  /** The place in the window is given back; what the subscriber still says about the delivery counts. */
  loosen(delivery: Delivery): void {
    if (delivery.loosened || delivery.number === 0) return;
    delivery.loosened = true;
    this.#free(delivery);
  }

  /** A durable message is settled, and nothing more is to be said about this delivery of it. */
  finishKept(delivery: Delivery, handled: boolean): void {
    const { connection } = delivery.subscription;
    this.loosen(delivery);
    connection.unacknowledged.delete(delivery.number);
    if (delivery.watched) connection.confirm(delivery.number, handled);
  }

  /** Copies of a message that is kept, or died, for those who only listen: without a promise, and nobody waits for them. */
  deliverLive(message: RoutedMessage): void {
    const route = this.#routes.of(message.subject);
    const { each, groups } = route.live;
    const lane = laneOf(message.flags);
    const give = (subscription: BrokerSubscription | undefined): void => {
      message.account.accepted++;
      if (subscription && hasRoom(subscription, lane)) this.#enqueue(subscription, message);
      else message.account.expired++;
    };
    for (const subscription of each) give(subscription);
    for (const members of groups) give(chooseMember(members, ++route.turn, (member) => hasRoom(member, lane)));
  }

  #free(delivery: Delivery): void {
    const { subscription } = delivery;
    subscription.acknowledged(delivery);
    if (!subscription.open) return;
    if (subscription.durable) this.kept?.freed(subscription);
    if (subscription.queue.size > 0) {
      subscription.connection.ready.add(subscription);
      subscription.connection.announce();
    }
    this.#relieve(subscription);
  }

  nowMono(): number {
    return this.#clock.monoMs();
  }

  /** A handler's outcome came back. */
  recordLatency(message: RoutedMessage, nowMono: number): void {
    const ms = nowMono - message.takenMono;
    const bucket = bucketOf(ms);
    message.latency.record(ms, bucket);
    message.account.latency.record(ms, bucket);
  }

  /** A queued delivery will not be sent. */
  drop(delivery: Delivery, outcome: 'rejected' | 'expired'): void {
    delivery.message.account[outcome]++;
    this.#lostResponder(delivery.message);
    this.#relieve(delivery.subscription);
  }

  /** A responder will not answer any more; the last one gone is told to the asker. */
  #lostResponder({ ask, subject }: RoutedMessage): void {
    if (ask) this.withdraw(ask, subject);
  }

  withdraw(ask: NonNullable<RoutedMessage['ask']>, subject: string): void {
    ask.open--;
    if (ask.open > 0 || ask.done) return;
    ask.done = true;
    ask.asker.asking--;
    if (!ask.asker.open) return;
    ask.asker.fail(ask.number, 'BUS_NO_RESPONDERS', `"${subject}": nobody who took the request can answer it any more`);
  }

  /** Ends a subscription: what waits for it goes to another member of its group, or is rejected. */
  end(subscription: BrokerSubscription): void {
    subscription.open = false;
    this.#routes.remove(subscription);
    subscription.connection.subscriptions.delete(subscription.number);
    subscription.connection.ready.delete(subscription);
    for (const delivery of subscription.drain()) {
      const { message } = delivery;
      if (delivery.kept) {
        this.kept!.returned(delivery);
        continue;
      }
      const members =
        this.#routes.of(message.subject).groups.find(([first]) => first?.group === subscription.group) ?? [];
      const heir = chooseFor(message.key, members, 0, (member) => hasRoom(member, laneOf(message.flags)));
      if (heir) this.#enqueue(heir, message);
      else this.drop(delivery, 'rejected');
    }
    this.#relieve(subscription);
  }

  /** The publisher is gone: what it had not got accepted is forgotten. */
  forget(connection: Connection): void {
    this.#held.closeAll(connection);
    connection.heldMessages = 0;
  }

  /** Accepts and queues the message or refuses it; returns the subscribers in the way when it can do neither. */
  #route(connection: Connection, number: number, message: RoutedMessage): readonly BrokerSubscription[] | undefined {
    const route = this.#routes.of(message.subject);
    const targets = route.each.length + route.groups.length;
    if (targets === 0) {
      if (message.ask) this.#refuse(connection, number, 'BUS_NO_RESPONDERS', 'nobody subscribes to it');
      else {
        this.#accept(connection, number, message);
        message.account.accepted++;
        message.account.handled++;
      }
      return undefined;
    }
    const lane = laneOf(message.flags);
    const blockers = this.#blockers(route, lane, message.key);
    if (blockers) return blockers;
    this.#accept(connection, number, message);
    message.account.accepted += targets;
    message.sole = targets === 1;
    if (message.ask) message.ask.open = targets;
    message.at = this.#clock.wallMs();
    for (const subscription of route.each) this.#enqueue(subscription, message);
    if (route.groups.length > 0) {
      route.turn++;
      for (const members of route.groups) {
        this.#enqueue(chooseFor(message.key, members, route.turn, (member) => hasRoom(member, lane))!, message);
      }
    }
    return undefined;
  }

  #blockers(route: Route, lane: Lane, key: string | null): readonly BrokerSubscription[] | undefined {
    for (const subscription of route.each) if (!hasRoom(subscription, lane)) return [subscription];
    for (const members of route.groups) {
      const some = key === null && members.some((member) => hasRoom(member, lane));
      if (!some && !chooseFor(key, members, 0, (member) => hasRoom(member, lane))) return members;
    }
    return undefined;
  }

  #accept(connection: Connection, number: number, message: RoutedMessage): void {
    connection.accept(number);
    connection.principal.published++;
    connection.principal.recent.add(message.id);
    if (message.ask) {
      connection.asking++;
      this.#newsWithAnswer(connection);
    } else {
      connection.announce();
    }
  }

  #refuse(connection: Connection, number: number, code: ErrorCode, words: string): void {
    connection.refuse(number, number, code, words);
    connection.announce();
  }

  #enqueue(subscription: BrokerSubscription, message: RoutedMessage): void {
    this.#queue(deliveryOf(subscription, message, null));
  }

  #queue(delivery: Delivery): void {
    const { subscription } = delivery;
    subscription.push(delivery, (dropped) => this.drop(dropped, 'expired'));
    subscription.connection.ready.add(subscription);
    subscription.connection.announce();
  }

  #advance(queue: HeldQueue): void {
    for (let held = queue.messages.peek(); held; held = queue.messages.peek()) {
      const blockers = this.#route(queue.connection, held.number, held.message);
      if (blockers) {
        this.#held.wait(queue, blockers);
        return;
      }
      queue.messages.shift();
      queue.connection.heldMessages--;
    }
    this.#held.close(queue);
  }

  #relieve(subscription: BrokerSubscription): void {
    if (this.#held.isAwaited(subscription)) this.#relieved.add(subscription);
  }
}

function deliveryOf(subscription: BrokerSubscription, message: RoutedMessage, kept: Kept | null): Delivery {
  return { message, subscription, sentMono: 0, number: 0, kept, loosened: false, watched: false };
}

function hasRoom(subscription: BrokerSubscription, lane: Lane): boolean {
  return subscription.policy === 'drop-oldest' || subscription.hasRoom(lane);
}
