import { deserialize, serialize } from 'node:v8';
import type { RoutedMessage } from '../broker/message.ts';
import type { Delivery, Kept } from '../broker/subscription.ts';
import { familyOf } from '../subject/subject.ts';
import type { Extra } from '../wire/frames.ts';
import { detach } from '../wire/payload.ts';
import type { LineLoad, PageRow, Write } from './storage/orders.ts';

/** Positions in the body of a block: an array of `FIELDS` entries for each message. Null where it is that of the message before. */
const FIELDS = 8;

/** A message on disk, as its subscriber gets it. */
export interface KeptMessage {
  readonly subject: string;
  readonly flags: number;
  readonly id: string;
  readonly from: string;
  readonly at: number;
  /** Wall ms after which nobody needs it; 0: never. */
  readonly expiresMs: number;
  readonly extra: Extra;
  readonly payload: unknown;
}

/** One message for one consumer. */
export interface Item extends Kept {
  readonly block: Block;
  readonly index: number;
  readonly message: RoutedMessage;
  /** Attempts that its subscribers let fail; these decide when it is dead. */
  failures: number;
  /** Times it was or may have been sent. */
  sends: number;
  state: 'ready' | 'given' | 'delayed' | 'settling' | 'settled';
  /** Why it is being settled; undefined while it is not. */
  outcome: 'handled' | 'expired' | 'dead' | undefined;
  /** Monotonic ms: when it is given back if nothing is heard, or tried again. */
  dueMono: number;
  /** All deliveries of it that may still be acknowledged. */
  deliveries: Delivery[];
  reason: string;
  error: string | null;
  /** Called when it is settled. */
  onSettled: (() => void) | undefined;
}

/** How many messages and bytes of each family. */
export type Sums = Map<string, { count: number; bytes: number }>;

/**
 * Messages of one line that were committed together: the unit on disk. It goes when all of it is settled; until then a mark says which of it
 * is. So a message costs the disk nothing of its own but its bytes.
 */
export class Block {
  /** Number of its line. */
  readonly line: number;
  readonly first: number;
  readonly count: number;
  readonly atMs: number;
  readonly #done: Uint8Array;
  readonly sums: Sums = new Map();
  readonly items: (Item | undefined)[] = [];
  #left: number;

  constructor(line: number, first: number, count: number, atMs: number, done: Uint8Array | null) {
    this.line = line;
    this.first = first;
    this.count = count;
    this.atMs = atMs;
    this.#done = done ? new Uint8Array(done) : new Uint8Array(Math.ceil(count / 8));
    this.#left = count;
  }

  get empty(): boolean {
    return this.#left === 0;
  }

  isDone(index: number): boolean {
    return (this.#done[index >> 3]! & (1 << (index & 7))) !== 0;
  }

  add(message: RoutedMessage, index: number, failures: number, sends: number): Item {
    const item: Item = {
      block: this,
      index,
      message,
      failures,
      sends,
      state: 'ready',
      outcome: undefined,
      dueMono: 0,
      deliveries: [],
      reason: '',
      error: null,
      onSettled: undefined,
    };
    this.items[index] = item;
    addTo(this.sums, familyOf(message.subject), 1, message.bytes);
    return item;
  }

  /** A place that was settled by the life before. */
  skip(): void {
    this.#left--;
  }

  /** The item is over; `write` says so to the disk. */
  done(item: Item): void {
    this.#done[item.index >> 3]! |= 1 << (item.index & 7);
    this.#left--;
    this.items[item.index] = undefined;
    addTo(this.sums, familyOf(item.message.subject), -1, -item.message.bytes);
  }

  /** What the disk must know of this block now. */
  write(): Write {
    if (this.empty) return ['drop', this.line, this.first];
    const failures: [number, number][] = [];
    let expiresMs: number | null = null;
    for (const item of this.items) {
      if (!item) continue;
      if (item.failures > 0) failures.push([item.index, item.failures]);
      if (item.message.expiresMs !== 0)
        expiresMs = Math.min(expiresMs ?? Number.POSITIVE_INFINITY, item.message.expiresMs);
    }
    return [
      'mark',
      this.line,
      this.first,
      this.#done.slice(),
      writeSums(this.sums),
      failures.length > 0 ? JSON.stringify(failures) : null,
      expiresMs,
    ];
  }
}

export function encode(messages: readonly KeptMessage[]): Uint8Array {
  const fields: unknown[] = [];
  let before: KeptMessage | undefined;
  for (const message of messages) {
    fields.push(
      before?.subject === message.subject ? null : message.subject,
      message.flags,
      message.id,
      before?.from === message.from ? null : message.from,
      before?.at === message.at ? null : message.at,
      message.expiresMs,
      message.extra,
      message.payload,
    );
    before = message;
  }
  return serialize(fields);
}

export function decode(body: Uint8Array): KeptMessage[] {
  const fields = deserialize(body) as unknown[];
  const messages: KeptMessage[] = [];
  let [subject, from, at] = ['', '', 0];
  for (let i = 0; i < fields.length; i += FIELDS) {
    subject = (fields[i] as string | null) ?? subject;
    from = (fields[i + 3] as string | null) ?? from;
    at = (fields[i + 4] as number | null) ?? at;
    messages.push({
      subject,
      flags: fields[i + 1] as number,
      id: fields[i + 2] as string,
      from,
      at,
      expiresMs: fields[i + 5] as number,
      extra: fields[i + 6] as Extra,
      payload: detach(fields[i + 7]),
    });
  }
  return messages;
}

/** The block of a page, with what is left of it. `sentTo`: everything up to this place may have been sent by the life before. */
export function revive(
  line: number,
  { first, count, atMs, body, done, failures }: PageRow,
  sentTo: number,
  route: (message: KeptMessage) => RoutedMessage,
): Block {
  const block = new Block(line, first, count, atMs, done);
  const failed = new Map(failures === null ? [] : (JSON.parse(failures) as [number, number][]));
  for (const [index, message] of decode(body).entries()) {
    if (block.isDone(index)) {
      block.skip();
      continue;
    }
    const times = failed.get(index) ?? 0;
    block.add(route(message), index, times, Math.max(times, first + index <= sentTo ? 1 : 0));
  }
  return block;
}

export function addTo(sums: Sums, family: string, count: number, bytes: number): void {
  const known = sums.get(family);
  if (known) {
    known.count += count;
    known.bytes += bytes;
  } else sums.set(family, { count, bytes });
}

export function writeSums(sums: Sums): string {
  return JSON.stringify([...sums].map(([family, { count, bytes }]) => [family, count, bytes]));
}

export function readSums(sums: LineLoad['sums']): Sums {
  return new Map(sums.map(([family, count, bytes]) => [family, { count, bytes }]));
}
