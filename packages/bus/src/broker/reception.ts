import { GraceError, toWireError } from '@grace/contracts';
import { checkPattern, familyOf } from '../subject/subject.ts';
import { type Batch, BUS_PROTOCOL, type ClientFrame, listsOf, MESSAGE_FIELDS } from '../wire/frames.ts';
import { acknowledge, answer } from './acknowledgements.ts';
import type { Connection } from './connection.ts';
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

  /** Ends subscriptions whose right is gone, and says so. */
  review(connection: Connection): void {
    for (const subscription of [...connection.subscriptions.values()]) {
      const refusal = this.#refusal(connection, subscription.pattern);
      if (!refusal) continue;
      this.#parts.router.end(subscription);
      connection.wire.send(['subscribed', subscription.number, toWireError(refusal)]);
    }
    this.#parts.turns.news();
  }

  /** The wire is gone: nobody will acknowledge, answer or ask on it any more. */
  leave(connection: Connection): void {
    const { router, turns } = this.#parts;
    connection.open = false;
    turns.forget(connection);
    router.forget(connection);
    for (const subscription of [...connection.subscriptions.values()]) router.end(subscription);
    for (const delivery of connection.unacknowledged.values()) router.settle(delivery, 'rejected');
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
    this.#parts.greeted(connection);
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
    [, number, pattern, group, policy]: Extract<ClientFrame, { 0: 'subscribe' }>,
  ): void {
    const { routes, turns } = this.#parts;
    if (connection.subscriptions.has(number))
      throw new GraceError('PROTOCOL', 'a number was used for two subscriptions');
    const refusal = this.#refusal(connection, pattern);
    if (!refusal) {
      const subscription = new BrokerSubscription(
        connection,
        number,
        pattern,
        group,
        policy ?? (familyOf(pattern) === 'telemetry' ? 'drop-oldest' : 'back-pressure'),
        connection.access.mustFilter(pattern),
      );
      connection.subscriptions.set(number, subscription);
      routes.add(subscription);
    }
    connection.wire.send(['subscribed', number, refusal ? toWireError(refusal) : null]);
    turns.news();
  }

  #unsubscribe(connection: Connection, number: number): void {
    const subscription = connection.subscriptions.get(number);
    if (subscription) this.#parts.router.end(subscription);
    this.#parts.turns.news();
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
    const verdict = connection.access.subscribe(pattern);
    if (verdict === 'allowed') return undefined;
    const { name } = connection.principal;
    if (verdict === 'no rule' && this.#parts.permits.maySubscribe(name, pattern)) return undefined;
    return new GraceError('BUS_DENIED', `${name} may not subscribe to "${pattern}": ${verdict}`);
  }
}
