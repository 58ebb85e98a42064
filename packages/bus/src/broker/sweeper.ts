import type { Clock } from '@grace/contracts';
import type { Connection } from './connection.ts';
import type { Router } from './router.ts';
import type { Turns } from './turns.ts';

const HELD_CHECK_MS = 25;
const REST_CHECK_MS = 1000;
/** A delivery that is not acknowledged for this long is counted expired and no longer uses up the subscriber's window. */
export const ACKNOWLEDGE_MS = 60_000;

/** Ends what nobody else ends: held messages and requests past their deadline, deliveries that are never acknowledged. At rest it sleeps. */
export class Sweeper {
  readonly #connections: Iterable<Connection>;
  readonly #router: Router;
  readonly #turns: Turns;
  readonly #clock: Clock;
  #heldTimer: NodeJS.Timeout | undefined;
  #restTimer: NodeJS.Timeout | undefined;

  constructor(connections: Iterable<Connection>, router: Router, turns: Turns, clock: Clock) {
    this.#connections = connections;
    this.#router = router;
    this.#turns = turns;
    this.#clock = clock;
  }

  /** Something came in that may have to be ended. */
  watch(): void {
    this.#restTimer ??= setTimeout(() => this.#sweepRest(), REST_CHECK_MS).unref();
    if (this.#router.holding) this.#heldTimer ??= setTimeout(() => this.#sweepHeld(), HELD_CHECK_MS).unref();
  }

  close(): void {
    clearTimeout(this.#heldTimer);
    clearTimeout(this.#restTimer);
  }

  #sweepHeld(): void {
    this.#heldTimer = undefined;
    this.#router.expireHeld(this.#clock.monoMs());
    if (this.#router.holding) this.watch();
  }

  #sweepRest(): void {
    this.#restTimer = undefined;
    const nowMono = this.#clock.monoMs();
    for (const connection of this.#connections) this.#sweepConnection(connection, nowMono);
    this.#turns.news();
    if (this.#anything()) this.watch();
  }

  #sweepConnection(connection: Connection, nowMono: number): void {
    for (const [number, delivery] of connection.unacknowledged) {
      // What is kept has a time of its own, and comes again.
      if (delivery.kept) continue;
      if (nowMono - delivery.sentMono < ACKNOWLEDGE_MS) break;
      connection.unacknowledged.delete(number);
      this.#router.settle(delivery, 'expired');
    }
    for (const [number, ask] of connection.grants) {
      if (ask.deadlineMono > nowMono) continue;
      connection.grants.delete(number);
      this.#router.withdraw(ask, 'the request');
    }
    for (const subscription of connection.subscriptions.values()) {
      const late = subscription.drain(({ message }) => message.expiresMono > nowMono);
      for (const delivery of late) this.#router.drop(delivery, 'expired');
    }
  }

  #anything(): boolean {
    if (this.#router.holding) return true;
    for (const { unacknowledged, grants, subscriptions } of this.#connections) {
      if (unacknowledged.size > 0 || grants.size > 0) return true;
      for (const { queue } of subscriptions.values()) if (queue.size > 0) return true;
    }
    return false;
  }
}
