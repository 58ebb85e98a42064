import type { DurableConsumerStatus, EventMap } from '@grace/contracts';

/** Messages waiting for one consumer from which on it is a backlog; below half of it is none any more. */
const BACKLOG_MESSAGES = 1000;

/** Tells of consumers that fall behind, once when it begins and once when it is over. Nothing is lost by it: what is durable waits on disk. */
export class Backlogs {
  readonly #over = new Set<string>();

  /** What changed since the look before. */
  look(consumers: readonly DurableConsumerStatus[]): EventMap['bus:backlog'][] {
    const changes: EventMap['bus:backlog'][] = [];
    const present = new Map(consumers.map((consumer) => [consumer.name, consumer]));
    for (const { name, pattern, waiting, bytes, oldestMs } of consumers) {
      const over = waiting >= (this.#over.has(name) ? BACKLOG_MESSAGES / 2 : BACKLOG_MESSAGES);
      if (over === this.#over.has(name)) continue;
      this.#keep(name, over);
      changes.push({ consumer: name, pattern, waiting, bytes, oldestMs, over });
    }
    for (const consumer of this.#over) {
      if (present.has(consumer)) continue;
      this.#keep(consumer, false);
      changes.push({ consumer, pattern: '', waiting: 0, bytes: 0, oldestMs: null, over: false });
    }
    return changes;
  }

  #keep(consumer: string, over: boolean): void {
    if (over) this.#over.add(consumer);
    else this.#over.delete(consumer);
  }
}
