import { GraceError } from '@grace/contracts';
import { SubjectTrie } from '../subject/trie.ts';
import { type Consumer, type ConsumerDescription, linesOf } from './consumer.ts';
import type { Line } from './line.ts';
import { LINES_PER_CONSUMER } from './storage/orders.ts';

const MAX_CONSUMERS = 256;

/** The durable consumers, and the lines of what nobody claimed. */
export class Consumers {
  readonly unclaimed: readonly Line[] = linesOf(0);
  readonly #names = new Map<string, Consumer>();
  readonly #numbers = new Map<number, Consumer>();
  readonly #patterns = new SubjectTrie<Consumer>();
  /** Being removed: their lines still count. */
  readonly #leaving = new Set<Consumer>();
  #next = 1;

  get size(): number {
    return this.#names.size;
  }

  find(name: string): Consumer | undefined {
    return this.#names.get(name);
  }

  /** @throws GraceError `BUS_OVERLOADED` when there are too many */
  nextNumber(): number {
    if (this.#names.size + this.#leaving.size >= MAX_CONSUMERS) {
      throw new GraceError('BUS_OVERLOADED', `the bus has ${MAX_CONSUMERS} durable consumers already`);
    }
    return this.#next++;
  }

  /** The numbers up to this one are used up, also those of lines whose consumer is gone. */
  skipTo(number: number): void {
    this.#next = Math.max(this.#next, number + 1);
  }

  add(consumer: Consumer): void {
    this.skipTo(consumer.number);
    this.#names.set(consumer.description.name, consumer);
    this.#numbers.set(consumer.number, consumer);
    this.#patterns.add(consumer.description.pattern, consumer);
  }

  /** Somebody subscribed under the name again, perhaps with another pattern. */
  describe(consumer: Consumer, description: ConsumerDescription): void {
    this.#patterns.delete(consumer.description.pattern, consumer);
    consumer.description = description;
    this.#patterns.add(description.pattern, consumer);
  }

  leave(consumer: Consumer): void {
    consumer.closed = true;
    this.#names.delete(consumer.description.name);
    this.#patterns.delete(consumer.description.pattern, consumer);
    this.#leaving.add(consumer);
  }

  gone(consumer: Consumer): void {
    this.#leaving.delete(consumer);
    this.#numbers.delete(consumer.number);
  }

  /** Those who get messages of the subject. */
  of(subject: string): Consumer[] {
    return this.#patterns.match(subject).filter((consumer) => consumer.kept && consumer.mayHear(subject));
  }

  line(number: number): Line | undefined {
    const consumer = Math.floor(number / LINES_PER_CONSUMER);
    const lines = consumer === 0 ? this.unclaimed : this.#numbers.get(consumer)?.lines;
    return lines?.[number % LINES_PER_CONSUMER];
  }

  owner(line: number): Consumer | undefined {
    return this.#numbers.get(Math.floor(line / LINES_PER_CONSUMER));
  }

  *lines(): Generator<Line> {
    yield* this.unclaimed;
    for (const { lines } of this.#numbers.values()) yield* lines;
  }

  [Symbol.iterator](): IterableIterator<Consumer> {
    return this.#names.values();
  }
}
