import { laneOf } from '../wire/frames.ts';
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

/** Messages of one publisher, subject and priority; later ones of the same kind queue behind, so order holds, and other subjects pass. */
export interface HeldQueue {
  readonly connection: Connection;
  readonly key: string;
  readonly messages: Fifo<HeldMessage>;
  /** The subscribers that have no room. */
  blockers: readonly BrokerSubscription[];
}

/** What is not accepted yet because a subscriber has no room. */
export class HeldQueues {
  readonly #queues = new Map<Connection, Map<string, HeldQueue>>();
  readonly #waiting = new Map<BrokerSubscription, Set<HeldQueue>>();

  get any(): boolean {
    return this.#queues.size > 0;
  }

  find(connection: Connection, message: RoutedMessage): HeldQueue | undefined {
    return this.any ? this.#queues.get(connection)?.get(keyOf(message)) : undefined;
  }

  open(connection: Connection, message: RoutedMessage): HeldQueue {
    const queue: HeldQueue = { connection, key: keyOf(message), messages: new Fifo(), blockers: [] };
    const own = this.#queues.get(connection) ?? new Map<string, HeldQueue>();
    this.#queues.set(connection, own.set(queue.key, queue));
    return queue;
  }

  /** Nothing of the queue moves until one of these has room. */
  wait(queue: HeldQueue, blockers: readonly BrokerSubscription[]): void {
    this.#stopWaiting(queue);
    queue.blockers = blockers;
    for (const blocker of blockers) {
      const waiters = this.#waiting.get(blocker) ?? new Set<HeldQueue>();
      this.#waiting.set(blocker, waiters.add(queue));
    }
  }

  isAwaited(subscription: BrokerSubscription): boolean {
    return this.#waiting.has(subscription);
  }

  waitingFor(subscription: BrokerSubscription): HeldQueue[] {
    return [...(this.#waiting.get(subscription) ?? [])];
  }

  close(queue: HeldQueue): void {
    this.#stopWaiting(queue);
    const own = this.#queues.get(queue.connection);
    own?.delete(queue.key);
    if (own?.size === 0) this.#queues.delete(queue.connection);
  }

  closeAll(connection: Connection): void {
    for (const queue of this.#queues.get(connection)?.values() ?? []) this.close(queue);
  }

  *all(): Generator<HeldQueue> {
    for (const own of [...this.#queues.values()]) yield* [...own.values()];
  }

  #stopWaiting(queue: HeldQueue): void {
    for (const blocker of queue.blockers) {
      const waiters = this.#waiting.get(blocker);
      waiters?.delete(queue);
      if (waiters?.size === 0) this.#waiting.delete(blocker);
    }
    queue.blockers = [];
  }
}

const keyOf = ({ flags, subject }: RoutedMessage): string => `${laneOf(flags)} ${subject}`;
