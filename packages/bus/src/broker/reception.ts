import { GraceError, toWireError } from '@grace/contracts';
import { readAside, wishRefusal } from '../durable/asides.ts';
import type { Durable } from '../durable/durable.ts';
import { checkPattern, familyOf } from '../subject/subject.ts';
import { type Batch, BUS_PROTOCOL, type ClientFrame, listsOf, MESSAGE_FIELDS } from '../wire/frames.ts';
import type { Accounts } from './accounts.ts';
import { acknowledge, answer } from './acknowledgements.ts';
import type { Connection } from './connection.ts';
import type { Door } from './door.ts';
import type { Permits } from './permits.ts';
import type { Router } from './router.ts';
import type { Routes } from './routes.ts';
import { BrokerSubscription } from './subscription.ts';
import type { Turns } from './turns.ts';

/** What a client may have undecided, per priority. */
const WINDOW_MESSAGES = 1024;
const WINDOW_BYTES = 8 * 1024 ** 2;
const MAX_SUBSCRIPTIONS = 4096;

export interface ReceptionParts {
  routes: Routes;
  router: Router;
  turns: Turns;
  permits: Permits;
  durable: Durable | undefined;
  accounts: Accounts;
  door: Door;
  maxPayloadBytes: number;
  greeted: (connection: Connection) => void;
}

/** Reads the frames of the wires. A wire that does not keep to the protocol is ended. */
export class Reception {
  readonly #parts: ReceptionParts;

  constructor(parts: ReceptionParts) {
    this.#parts = parts;
  }

  receive(connection: Connection, frame: ClientFrame): void {
    if (!connection.open) return;
    try {
      this.#read(connection, frame);
    } catch {
      connection.wire.close();
    }
  }

  /**
   * The rights have changed. Ends subscriptions whose right is gone, and says so; of those that keep a part, what waits and is denied now
   * goes. Returns how many ended.
   */
  review(connection: Connection): number {
    let ended = 0;
    for (const subscription of [...connection.subscriptions.values()]) {
      const refusal = this.#denial(connection, subscription.pattern);
      if (refusal) {
        ended++;
        this.#end(subscription, false);
        connection.wire.send(['subscribed', subscription.number, toWireError(refusal)]);
        continue;
      }
      subscription.filtered = connection.access.mustFilter(subscription.pattern);
      if (!subscription.filtered) continue;
      const denied = subscription.drain(({ message }) => connection.access.mayReceive(message.subject));
      for (const delivery of denied) {
        if (delivery.kept) this.#parts.durable?.returned(delivery);
        else this.#parts.router.drop(delivery, 'rejected');
      }
    }
    this.#parts.turns.news();
    return ended;
  }

  /** The wire is gone: nobody will acknowledge, answer or ask on it any more. */
  leave(connection: Connection): void {
    const { router, turns, durable } = this.#parts;
    connection.open = false;
    turns.forget(connection);
    router.forget(connection);
    for (const subscription of [...connection.subscriptions.values()]) this.#end(subscription, false);
    for (const delivery of connection.unacknowledged.values()) {
      if (delivery.kept) durable?.lost(delivery);
      else router.settle(delivery, 'rejected');
    }
    connection.unacknowledged.clear();
    for (const ask of connection.grants.values()) router.withdraw(ask, 'the request');
    connection.grants.clear();
    turns.news();
  }

  #read(connection: Connection, frame: ClientFrame): void {
    if (!connection.greeted) {
      this.#greet(connection, frame);
      return;
    }
    switch (frame[0]) {
      case 'batch':
        this.#batch(connection, frame);
        return;
      case 'subscribe':
        this.#subscribe(connection, frame);
        return;
      case 'unsubscribe':
        this.#unsubscribe(connection, frame[1]);
        return;
      case 'withheld':
        this.#withheld(connection, frame);
        return;
      case 'nak':
      case 'progress':
      case 'confirm':
        readAside(connection, frame, this.#parts.durable, (delivery) =>
          this.#parts.router.settle(delivery, 'rejected'),
        );
        this.#parts.turns.news();
        return;
      default:
        throw new GraceError('PROTOCOL', 'not a frame of a client');
    }
  }

  #greet(connection: Connection, frame: ClientFrame): void {
    if (frame[0] !== 'hello' || frame[1] !== BUS_PROTOCOL) throw new GraceError('PROTOCOL', 'expected a hello first');
    connection.creditMessages = frame[2];
    connection.creditBytes = frame[3];
    connection.greeted = true;
    connection.wire.send(['welcome', BUS_PROTOCOL, WINDOW_MESSAGES, WINDOW_BYTES, this.#parts.maxPayloadBytes]);
    const { untilMono } = connection.principal.mute;
    if (untilMono > 0) connection.wire.send(['muted', untilMono]);
    this.#parts.greeted(connection);
  }

  /** What a muted client has not sent counts as denied like what it sends. */
  #withheld({ principal }: Connection, [, ...counts]: Extract<ClientFrame, [t: 'withheld', ...unknown[]]>): void {
    for (let i = 0; i + 1 < counts.length; i += 2) {
      const [family, count] = [counts[i], counts[i + 1]];
      if (typeof family !== 'string' || !Number.isSafeInteger(count) || !((count as number) > 0))
        throw new GraceError('PROTOCOL', 'withheld: expected a family and a number');
      this.#parts.accounts.of(family).denied += count as number;
      this.#parts.door.withheld(principal, count as number);
    }
  }

  #batch(connection: Connection, frame: Batch): void {
    const { router, turns, maxPayloadBytes } = this.#parts;
    const { list1, list2, list3, end } = listsOf(frame, MESSAGE_FIELDS);
    if (frame.length !== end || !(Math.min(frame[2], frame[3], frame[4], frame[5]) >= 0)) {
      throw new GraceError('PROTOCOL', 'a batch is not as long as it says');
    }
    if (list2 > list1) acknowledge(connection, frame, list1, list2, 'handled', router);
    if (end > list3) answer(connection, frame, list3, end, maxPayloadBytes);
    if (list3 > list2) acknowledge(connection, frame, list2, list3, 'rejected', router);
    turns.news();
    if (frame[2] === 0) return;
    turns.arrived(connection, frame);
  }

  #subscribe(
    connection: Connection,
    [, number, pattern, group, policy, wish = null]: Extract<ClientFrame, { 0: 'subscribe' }>,
  ): void {
    const { routes, turns, durable } = this.#parts;
    if (connection.subscriptions.has(number))
      throw new GraceError('PROTOCOL', 'a number was used for two subscriptions');
    const refusal = this.#refusal(connection, pattern) ?? wishRefusal(wish);
    const say = (error?: GraceError): void => {
      if (connection.open) connection.wire.send(['subscribed', number, error ? toWireError(error) : null]);
    };
    if (refusal) say(refusal);
    else {
      const given = policy ?? (familyOf(pattern) === 'telemetry' ? 'drop-oldest' : 'back-pressure');
      const isMember = given !== 'drop-oldest' && wish !== false && durable?.concerns(pattern) === true;
      const subscription = new BrokerSubscription(
        connection,
        number,
        pattern,
        group,
        given,
        connection.access.mustFilter(pattern),
        isMember,
      );
      connection.subscriptions.set(number, subscription);
      routes.add(subscription);
      if (!isMember) say();
      else {
        durable.join(subscription, connection, wish ?? {}, (error) => {
          if (error) this.#end(subscription, false);
          say(error);
        });
      }
    }
    turns.news();
  }

  #unsubscribe(connection: Connection, number: number): void {
    const subscription = connection.subscriptions.get(number);
    if (subscription) this.#end(subscription, true);
    this.#parts.turns.news();
  }

  /** `explicit`: its client said so; a durable consumer outlives anything else. */
  #end(subscription: BrokerSubscription, explicit: boolean): void {
    this.#parts.router.end(subscription);
    if (subscription.durable) this.#parts.durable?.leave(subscription, explicit);
  }

  #refusal(connection: Connection, pattern: string): GraceError | undefined {
    try {
      checkPattern(pattern);
    } catch (error) {
      return error as GraceError;
    }
    if (connection.subscriptions.size >= MAX_SUBSCRIPTIONS) {
      return new GraceError('BUS_OVERLOADED', `a client may have ${MAX_SUBSCRIPTIONS} subscriptions`);
    }
    return this.#denial(connection, pattern);
  }

  #denial(connection: Connection, pattern: string): GraceError | undefined {
    const verdict = connection.access.subscribe(pattern);
    if (verdict === 'allowed') return undefined;
    const { name } = connection.principal;
    if (verdict === 'no rule' && this.#parts.permits.maySubscribe(name, pattern)) return undefined;
    return new GraceError('BUS_DENIED', `${name} may not subscribe to "${pattern}": ${verdict}`);
  }
}
