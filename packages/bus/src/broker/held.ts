import { Fifo } from '../wire/lanes.ts';
import type { Connection } from './connection.ts';
import type { RoutedMessage } from './message.ts';
import type { BrokerSubscription } from './subscription.ts';

export interface HeldMessage {
  readonly number: number;
  readonly message: RoutedMessage;
  /** Deadline of acceptance, monotonic ms. */
  readonly acceptByMono: number;
}

/**
 * Messages of one publisher, subject and priority that are not accepted yet because a subscriber has no room. Later ones of the same kind queue
 * behind, so order holds; other subjects pass.
 */
export class HeldQueue {
  readonly connection: Connection;
  readonly key: string;
  readonly messages = new Fifo<HeldMessage>();
  #blockers: readonly BrokerSubscription[] = [];

  constructor(connection: Connection, key: string) {
    this.connection = connection;
    this.key = key;
  }

  waitFor(blockers: readonly BrokerSubscription[]): void {
    this.release();
    this.#blockers = blockers;
    for (const blocker of blockers) blocker.waiters.add(this);
  }

  release(): void {
    for (const blocker of this.#blockers) blocker.waiters.delete(this);
    this.#blockers = [];
  }
}
