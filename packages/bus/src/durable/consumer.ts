import type { Access } from '../broker/access-rules.ts';
import type { BrokerSubscription } from '../broker/subscription.ts';
import { LANES } from '../wire/lanes.ts';
import type { Item } from './block.ts';
import { Line } from './line.ts';
import { LINES_PER_CONSUMER } from './storage/orders.ts';

/** How the messages of a consumer are acknowledged. */
export interface ConsumerSettings {
  ackWaitMs: number;
  /** Before the second attempt, the third, ...; the last is repeated. */
  backoffMs: readonly number[];
  maxAttempts: number;
  ordered: boolean;
}

/** What is kept of a consumer. */
export interface ConsumerDescription {
  name: string;
  pattern: string;
  queue: string | null;
  /** Whose rules say what it may hear: who subscribed last. */
  principal: string;
  kernel: boolean;
  settings: ConsumerSettings;
}

/** Who durable messages wait for: a pattern of one principal, or of a queue group. It is there while nobody of it is connected. */
export class Consumer {
  readonly number: number;
  description: ConsumerDescription;
  access: Access;
  readonly lines: readonly Line[];
  members: readonly BrokerSubscription[] = [];
  /** Sent and not acknowledged. */
  readonly given = new Set<Item>();
  /** Tried in vain, and waiting for the next attempt. */
  readonly delayed = new Set<Item>();
  /** Under `ordered`: what is given, delayed or being settled, by its order. */
  readonly busy = new Set<string>();
  /** It is on disk, and its lines are known. */
  kept = false;
  /** It is being removed. */
  closed = false;
  /** Since when it has had no member, wall ms. */
  idleSinceMs: number;
  turn = 0;

  constructor(number: number, description: ConsumerDescription, access: Access, nowMs: number) {
    this.number = number;
    this.description = description;
    this.access = access;
    this.idleSinceMs = nowMs;
    this.lines = linesOf(number);
  }

  get waiting(): number {
    return this.lines.reduce((sum, { size }) => sum + size, 0);
  }

  get bytes(): number {
    return this.lines.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Messages and bytes it would have with what is on its way to the disk. */
  get load(): { messages: number; bytes: number } {
    let [messages, bytes] = [0, 0];
    for (const line of this.lines) {
      messages += line.size + line.arriving.count;
      bytes += line.bytes + line.arriving.bytes;
    }
    return { messages, bytes };
  }

  get oldestAtMs(): number | null {
    let oldest: number | null = null;
    for (const { oldestAtMs } of this.lines) {
      if (oldestAtMs !== null && (oldest === null || oldestAtMs < oldest)) oldest = oldestAtMs;
    }
    return oldest;
  }

  mayHear(subject: string): boolean {
    return this.access.mayReceive(subject);
  }
}

/** Two subscriptions with the same name are one consumer. */
export function consumerName(principal: string, queue: string | null, name: string): string {
  return queue === null ? `${principal}/${name}` : `${queue}@${name}`;
}

/** The three lines of a consumer, one for each priority. */
export function linesOf(consumer: number): readonly Line[] {
  return LANES.map((lane) => new Line(consumer * LINES_PER_CONSUMER + lane, lane));
}

/** Under `ordered`, what may only be sent when the one before is settled. */
export function orderOf({ message: { key, from, subject } }: Item): string {
  return key === null ? `${from} ${subject}` : `key ${key}`;
}
