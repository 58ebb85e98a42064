import type { Clock } from '@grace/contracts';
import type { Router } from '../broker/router.ts';
import { type Block, encode, type Item } from './block.ts';
import { type Consumer, orderOf } from './consumer.ts';
import type { Consumers } from './consumers.ts';
import type { Write } from './storage/orders.ts';
import type { Storage } from './storage.ts';

/** Groups of settlements under way; what is settled meanwhile is the next group. */
const GROUPS_UNDER_WAY = 2;
const RETRY_MS = 100;

export interface SettlingParts {
  consumers: Consumers;
  storage: Storage;
  router: Router;
  clock: Clock;
  /** Room came up, or an order key was freed. */
  freed(consumer: Consumer): void;
  /** A dead letter is on disk. */
  died(item: Item, consumer: Consumer): void;
}

/**
 * What became of durable messages, on its way to the disk: a message counts as handled, expired or dead when the disk knows. What the disk
 * refuses is said again until it takes it.
 */
export class Settling {
  readonly #parts: SettlingParts;
  readonly #dirty = new Set<Block>();
  #items: Item[] = [];
  #letters: Write[] = [];
  #underWay = 0;
  #flushing = false;
  #retry: NodeJS.Timeout | undefined;
  nextLetter = 1;
  letters = 0;

  constructor(parts: SettlingParts) {
    this.#parts = parts;
  }

  get busy(): boolean {
    return this.#underWay > 0 || this.#items.length > 0 || this.#dirty.size > 0;
  }

  /** It is over. A dead one leaves a letter. */
  settle(item: Item, outcome: 'handled' | 'expired' | 'dead'): void {
    if (item.outcome !== undefined) return;
    const { block } = item;
    const consumer = this.#parts.consumers.owner(block.line);
    item.state = 'settling';
    item.outcome = outcome;
    consumer?.given.delete(item);
    consumer?.delayed.delete(item);
    if (outcome === 'dead' && consumer) this.#letters.push(this.#letter(item, consumer));
    block.done(item);
    this.#items.push(item);
    this.#touch(block);
  }

  /** An attempt failed and another follows; the count is to survive. */
  failed(item: Item): void {
    this.#touch(item.block);
  }

  /** There is a storage thread again: what came meanwhile goes to it. */
  resume(): void {
    this.#flush();
  }

  close(): void {
    clearTimeout(this.#retry);
  }

  #touch(block: Block): void {
    this.#dirty.add(block);
    if (this.#flushing) return;
    this.#flushing = true;
    queueMicrotask(() => {
      this.#flushing = false;
      this.#flush();
    });
  }

  #flush(): void {
    const { storage } = this.#parts;
    if (!storage.open || this.#underWay >= GROUPS_UNDER_WAY || this.#retry) return;
    if (this.#dirty.size === 0) return;
    const [items, letters, blocks] = [this.#items, this.#letters, [...this.#dirty]];
    const writes: Write[] = [...letters];
    // What belongs to a consumer that is being removed goes with it.
    for (const block of blocks) if (!this.#parts.consumers.owner(block.line)?.closed) writes.push(block.write());
    this.#items = [];
    this.#letters = [];
    this.#dirty.clear();
    this.#underWay++;
    storage.send(
      { t: 'write', writes },
      () => {
        this.#underWay--;
        for (const item of items) this.#finish(item);
        this.#flush();
      },
      () => {
        this.#underWay--;
        this.#items.push(...items);
        this.#letters.push(...letters);
        for (const block of blocks) this.#dirty.add(block);
        this.#retry ??= setTimeout(() => {
          this.#retry = undefined;
          this.#flush();
        }, RETRY_MS).unref();
      },
    );
  }

  #finish(item: Item): void {
    const { consumers, router } = this.#parts;
    const { block, message, outcome } = item;
    item.state = 'settled';
    for (const delivery of item.deliveries) router.finishKept(delivery, outcome === 'handled');
    item.deliveries = [];
    const line = consumers.line(block.line);
    // Its consumer was removed, and everything it had was counted then.
    if (!line) return;
    line.settled(item);
    line.release(item);
    item.onSettled?.();
    if (outcome === 'dead') {
      message.account.deadLettered++;
      this.letters++;
    } else message.account[outcome!]++;
    const consumer = consumers.owner(block.line);
    if (!consumer) return;
    if (consumer.description.settings.ordered) consumer.busy.delete(orderOf(item));
    if (outcome === 'dead') this.#parts.died(item, consumer);
    this.#parts.freed(consumer);
  }

  #letter(item: Item, consumer: Consumer): Write {
    const { message, failures, reason, error } = item;
    const id = this.nextLetter++;
    return [
      'letter',
      id,
      consumer.description.name,
      message.subject,
      this.#parts.clock.wallMs(),
      failures,
      reason,
      error,
      message.bytes,
      encode([message]),
    ];
  }
}
