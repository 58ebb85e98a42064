import type { Connection } from '../broker/connection.ts';
import type { RoutedMessage } from '../broker/message.ts';
import type { Routes } from '../broker/routes.ts';
import { familyOf } from '../subject/subject.ts';
import { laneOf } from '../wire/frames.ts';
import type { Lane } from '../wire/lanes.ts';
import type { Ids } from './accepted-ids.ts';
import { addTo, encode, type Sums, writeSums } from './block.ts';
import type { Consumers } from './consumers.ts';
import type { Line } from './line.ts';
import type { DurableSettings } from './options.ts';
import type { Write } from './storage/orders.ts';

/** A durable message that is not decided yet. */
export interface Publish {
  readonly connection: Connection;
  readonly number: number;
  readonly message: RoutedMessage;
  /** Monotonic ms. */
  readonly acceptByMono: number;
  /** It may have been sent before, so its id is looked up: when it is written, since only then everything written before is known. */
  readonly seen: boolean;
  /** The same message, sent again before the first was decided. */
  again: Publish[] | undefined;
}

/** Messages of one commit for one line, or of one subject that nobody claimed. */
export interface Draft {
  readonly line: Line;
  readonly subject: string | null;
  readonly messages: RoutedMessage[];
  readonly sums: Sums;
  bytes: number;
  first: number;
}

/** What waits for one consumer, or for none: on disk, on its way there, and in this commit. */
interface Load {
  messages: number;
  bytes: number;
}

export interface CommitParts {
  consumers: Consumers;
  routes: Routes;
  settings: DurableSettings;
}

/** Messages that will be on disk together: each is put down for every consumer it is for, or, where there is none, by its subject. */
export class Commit {
  readonly atMs: number;
  readonly publishes: Publish[] = [];
  bytes = 0;
  readonly #parts: CommitParts;
  readonly #drafts = new Map<Line | string, Draft>();
  readonly #loads = new Map<readonly Line[], Load>();
  /** Where the message before went: neighbours often have the same subject. */
  #subject = '';
  #lane: Lane | undefined;
  #targets: { draft: Draft; load: Load }[] = [];
  /** By sender and id, once somebody asks. */
  #index: Map<string, Publish> | undefined;

  constructor(parts: CommitParts, atMs: number) {
    this.#parts = parts;
    this.atMs = atMs;
  }

  get drafts(): Iterable<Draft> {
    return this.#drafts.values();
  }

  /** False when one of those it is for has as much as it may have. */
  add(publish: Publish): boolean {
    const { message } = publish;
    const { subject, bytes } = message;
    const lane = laneOf(message.flags);
    if (subject !== this.#subject || lane !== this.#lane) this.#aim(subject, lane);
    const { maxMessages, maxBytes } = this.#parts.settings;
    for (const { load } of this.#targets) {
      if (load.messages >= maxMessages || load.bytes + bytes > maxBytes) return false;
    }
    message.at = this.atMs;
    for (const { draft, load } of this.#targets) {
      draft.messages.push(message);
      draft.bytes += bytes;
      load.messages++;
      load.bytes += bytes;
    }
    this.publishes.push(publish);
    this.bytes += bytes;
    if (this.#index) this.#index.set(keyOf(publish.message), publish);
    return true;
  }

  /** The same message in this commit. */
  find(message: RoutedMessage): Publish | undefined {
    this.#index ??= new Map(this.publishes.map((publish) => [keyOf(publish.message), publish]));
    return this.#index.get(keyOf(message));
  }

  get ids(): Ids {
    const ids: Ids = [];
    const bySender = new Map<string, string[]>();
    for (const { message } of this.publishes) {
      let own = ids.length > 0 && ids.at(-1)![0] === message.from ? ids.at(-1)![1] : bySender.get(message.from);
      if (!own) {
        own = [];
        bySender.set(message.from, own);
        ids.push([message.from, own]);
      }
      own.push(message.id);
    }
    return ids;
  }

  /** Gives every message its place, and says what is to be written. `isAwaited`: there is somebody to send it to. */
  write(isAwaited: (line: Line) => boolean): Write[] {
    const writes: Write[] = [];
    for (const draft of this.#drafts.values()) {
      const { line, messages, bytes } = draft;
      if (messages.length === 0) continue;
      draft.first = line.reserve(messages.length, bytes);
      writes.push(toWrite(draft, this.atMs));
      // It will be in memory and is as good as sent: what may have been sent is to be known to the next life.
      if (line.expectsNext(draft.first, isAwaited(line))) writes.push(['sent', line.number, line.next - 1]);
    }
    return writes;
  }

  #aim(subject: string, lane: Lane): void {
    const { consumers, routes } = this.#parts;
    const kept = routes.of(subject).kept ?? [];
    this.#subject = subject;
    this.#lane = lane;
    this.#targets =
      kept.length === 0
        ? [this.#target(`${lane} ${subject}`, consumers.unclaimed, lane, subject)]
        : kept.map(({ lines }) => this.#target(lines[lane]!, lines, lane, null));
  }

  #target(
    key: Line | string,
    lines: readonly Line[],
    lane: Lane,
    subject: string | null,
  ): { draft: Draft; load: Load } {
    const line = lines[lane]!;
    const draft = this.#drafts.get(key) ?? { line, subject, messages: [], sums: new Map(), bytes: 0, first: 0 };
    this.#drafts.set(key, draft);
    let load = this.#loads.get(lines);
    if (!load) {
      load = { messages: 0, bytes: 0 };
      for (const { size, bytes, arriving } of lines) {
        load.messages += size + arriving.count;
        load.bytes += bytes + arriving.bytes;
      }
      this.#loads.set(lines, load);
    }
    return { draft, load };
  }
}

const keyOf = ({ from, id }: RoutedMessage): string => `${from} ${id}`;

function toWrite({ line, subject, messages, sums, first }: Draft, atMs: number): Write {
  let expiresMs: number | null = null;
  let [before, count, bytes] = [messages[0]!, 0, 0];
  for (const message of messages) {
    if (message.account !== before.account) {
      addTo(sums, familyOf(before.subject), count, bytes);
      [before, count, bytes] = [message, 0, 0];
    }
    count++;
    bytes += message.bytes;
    if (message.expiresMs !== 0) expiresMs = Math.min(expiresMs ?? Number.POSITIVE_INFINITY, message.expiresMs);
  }
  addTo(sums, familyOf(before.subject), count, bytes);
  return ['block', line.number, first, messages.length, atMs, expiresMs, subject, writeSums(sums), encode(messages)];
}
