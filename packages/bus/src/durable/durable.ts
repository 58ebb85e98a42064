import type {
  Clock,
  DeadLetterPage,
  DeadLetterQuery,
  DeadLetterSelection,
  DurableConsumerStatus,
  DurableStatistics,
  GraceError,
} from '@grace/contracts';
import type { Access } from '../broker/access-rules.ts';
import type { Account, Accounts } from '../broker/accounts.ts';
import type { Connection } from '../broker/connection.ts';
import { Latency } from '../broker/latency.ts';
import type { RoutedMessage } from '../broker/message.ts';
import type { Router } from '../broker/router.ts';
import type { Routes } from '../broker/routes.ts';
import type { BrokerSubscription, Delivery } from '../broker/subscription.ts';
import type { BrokerEvent } from '../broker/types.ts';
import { SubjectTrie } from '../subject/trie.ts';
import type { DurableWish } from '../wire/frames.ts';
import { sizeOf } from '../wire/payload.ts';
import type { Ids } from './accepted-ids.ts';
import type { Item, KeptMessage } from './block.ts';
import type { Consumer } from './consumer.ts';
import { Consumers } from './consumers.ts';
import { Giving } from './giving.ts';
import { Letters } from './letters.ts';
import type { Line } from './line.ts';
import { Membership } from './membership.ts';
import { type DurableOptions, withDefaults } from './options.ts';
import { Publishing } from './publishing.ts';
import { Settling } from './settling.ts';
import type { Load } from './storage/orders.ts';
import { Storage } from './storage.ts';
import { Sweeping } from './sweeping.ts';
import { Tidings } from './tidings.ts';

const CLOSE_DEADLINE_MS = 1000;

export interface DurableParts {
  accounts: Accounts;
  routes: Routes;
  router: Router;
  clock: Clock;
  rules(principal: string, kernel: boolean): Access;
  emit(event: BrokerEvent): void;
}

/** The part of the broker that keeps: messages on durable subjects are on disk before they are accepted, and until they are settled. */
export class Durable {
  readonly #parts: DurableParts;
  readonly #subjects = new SubjectTrie<true>();
  readonly #consumers = new Consumers();
  readonly #storage: Storage;
  readonly #settling: Settling;
  readonly #giving: Giving;
  readonly #publishing: Publishing;
  readonly #membership: Membership;
  readonly #letters: Letters;
  readonly #sweeping: Sweeping;
  readonly #tidings: Tidings;
  /** Of messages whose sender is long gone. */
  readonly #latency = new Latency();
  readonly #opened: Promise<void>;
  #isOpen: () => void = () => {};
  #loaded = false;
  #closing = false;

  constructor(options: DurableOptions, parts: DurableParts) {
    this.#parts = parts;
    const settings = withDefaults(options);
    for (const subject of settings.subjects) this.#subjects.add(subject, true);
    this.#tidings = new Tidings(parts.emit);
    this.#opened = new Promise((resolve) => {
      this.#isOpen = resolve;
    });
    const storage = new Storage({
      dir: settings.dir,
      maxFileBytes: settings.maxFileBytes,
      thread: settings.thread,
      opened: (load, again) => this.#storageOpened(load, again),
      lost: (error) => this.#storageLost(error),
      committed: (commitMs) => this.#tidings.committed(commitMs),
    });
    this.#storage = storage;
    const consumers = this.#consumers;
    const { router, clock } = parts;
    const route = (message: KeptMessage): RoutedMessage => this.#route(message);
    const settling = new Settling({
      consumers,
      storage,
      router,
      clock,
      freed: (consumer) => this.#giving.soon(consumer),
      died: (item, consumer) => this.#died(item, consumer),
    });
    this.#settling = settling;
    const arrived = (line: Line): void => {
      const consumer = consumers.owner(line.number);
      if (consumer) this.#giving.soon(consumer);
    };
    const publishing = new Publishing({ settings, consumers, storage, routes: parts.routes, router, clock, arrived });
    this.#publishing = publishing;
    this.#giving = new Giving({ storage, settling, router, clock, route });
    this.#letters = new Letters({ consumers, storage, settling, publishing, route, arrived });
    this.#membership = new Membership({
      settings,
      consumers,
      storage,
      publishing,
      accounts: parts.accounts,
      routes: parts.routes,
      clock,
      rules: parts.rules,
      claimed: () => this.#sweeping.claimed(),
      ready: (consumer) => this.#giving.soon(consumer),
    });
    this.#sweeping = new Sweeping({
      settings,
      consumers,
      storage,
      settling,
      publishing,
      accounts: parts.accounts,
      clock,
      route,
      abandon: (consumer) => this.#membership.remove(consumer, 'expired'),
    });
    parts.routes.keep = (subject) => (this.#subjects.matches(subject) ? consumers.of(subject) : null);
    router.kept = this;
  }

  /** Resolves when the file is open and what waits in it is known. */
  opened(): Promise<void> {
    return this.#opened;
  }

  /** Whether some subjects of the pattern are durable. */
  concerns(pattern: string): boolean {
    return this.#subjects.overlaps(pattern);
  }

  offer(connection: Connection, number: number, message: RoutedMessage, acceptByMono: number, seen: boolean): void {
    this.#publishing.offer(connection, number, message, acceptByMono, seen);
  }

  /** The subscription is a member of its consumer from now on; `done` when that is on disk. */
  join(
    subscription: BrokerSubscription,
    connection: Connection,
    wish: DurableWish,
    done: (error?: GraceError) => void,
  ): void {
    this.#membership.join(subscription, connection, wish, done);
  }

  /** `explicit`: it said so itself; the last one that does removes the consumer. */
  leave(subscription: BrokerSubscription, explicit: boolean): void {
    if (!this.#closing) this.#membership.leave(subscription, explicit);
  }

  /** What the subscriber said about a delivery. */
  acknowledged(delivery: Delivery, outcome: 'handled' | 'rejected'): void {
    if (outcome === 'rejected') this.nak(delivery, undefined, null);
    else if (!this.#closing) {
      const item = delivery.kept as Item;
      if (this.#ownerOf(item)) this.#settling.settle(item, 'handled');
      else this.#parts.router.loosen(delivery);
    }
  }

  nak(delivery: Delivery, delayMs: number | undefined, error: string | null): void {
    this.#failed(delivery, 'rejected', error, delayMs);
  }

  /** The wire is gone on which it was sent. */
  lost(delivery: Delivery): void {
    this.#failed(delivery, 'disconnected', null, 0);
  }

  /** It was never sent: its member is gone. */
  returned(delivery: Delivery): void {
    const owner = this.#ownerOf(delivery.kept as Item);
    if (owner && !this.#closing) this.#giving.returned(owner, delivery);
  }

  /** Also what is not durable takes room in its window. */
  freed(subscription: BrokerSubscription): void {
    const consumer = this.#membership.of(subscription);
    if (consumer) this.#giving.soon(consumer);
  }

  inProgress(delivery: Delivery): void {
    const item = delivery.kept as Item;
    const owner = this.#ownerOf(item);
    if (owner) this.#giving.inProgress(owner, item);
  }

  /** The rules have changed. */
  review(): void {
    for (const consumer of this.#consumers) {
      const { principal, kernel } = consumer.description;
      consumer.access = this.#parts.rules(principal, kernel);
    }
  }

  /** What waits, counted from the books of the lines, not from the accounts. */
  *waiting(): Generator<[Account, number]> {
    for (const { sums } of this.#consumers.lines()) {
      for (const [family, { count }] of sums) if (count !== 0) yield [this.#parts.accounts.of(family), count];
    }
  }

  consumers(): DurableConsumerStatus[] {
    const nowMs = this.#parts.clock.wallMs();
    return [...this.#consumers].map((consumer) => ({
      name: consumer.description.name,
      pattern: consumer.description.pattern,
      queue: consumer.description.queue,
      members: consumer.members.length,
      waiting: consumer.waiting,
      unacknowledged: consumer.given.size,
      oldestMs: consumer.oldestAtMs === null ? null : Math.max(0, nowMs - consumer.oldestAtMs),
      bytes: consumer.bytes,
    }));
  }

  statistics(): DurableStatistics {
    const { commits, commitMs } = this.#tidings;
    const unclaimed = this.#consumers.unclaimed.reduce((sum, { size }) => sum + size, 0);
    let waiting = 0;
    for (const { size } of this.#consumers.lines()) waiting += size;
    return {
      waiting,
      unclaimed,
      dead: this.#settling.letters,
      redelivered: this.#giving.redelivered,
      duplicates: this.#publishing.duplicates,
      refused: this.#publishing.refused,
      consumers: this.consumers(),
      commits,
      commitMs: commitMs(),
      fileBytes: this.#storage.fileBytes,
      storage: this.#storage.open ? 'open' : 'restarting',
      storageRestarts: this.#storage.restarts,
    };
  }

  /** @throws GraceError `NOT_FOUND`; `CONFLICT` while it has members */
  forget(name: string): Promise<number> {
    return this.#membership.forget(name);
  }

  deadLetters(query: DeadLetterQuery): Promise<DeadLetterPage> {
    return this.#letters.read(query);
  }

  replay(selection: DeadLetterSelection): Promise<number> {
    return this.#letters.replay(selection);
  }

  purge(selection: DeadLetterSelection): Promise<number> {
    return this.#letters.purge(selection);
  }

  /** No failed attempt is counted from now on: it is the broker that goes. */
  closing(): void {
    this.#closing = true;
  }

  /** What is on its way to the disk gets there; what is not acknowledged comes again in the next life. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#giving.close();
    this.#sweeping.close();
    const { clock } = this.#parts;
    const untilMono = clock.monoMs() + CLOSE_DEADLINE_MS;
    while (this.#storage.open && this.#settling.busy && clock.monoMs() < untilMono) {
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    this.#publishing.close();
    this.#settling.close();
    this.#tidings.close();
    await this.#storage.close();
  }

  #ownerOf(item: Item): Consumer | undefined {
    const owner = this.#consumers.owner(item.block.line);
    return owner?.closed ? undefined : owner;
  }

  #failed(delivery: Delivery, reason: string, error: string | null, delayMs: number | undefined): void {
    const item = delivery.kept as Item;
    const isLatest = item.deliveries.at(-1) === delivery;
    this.#parts.router.loosen(delivery);
    item.deliveries = item.deliveries.filter((one) => one !== delivery);
    const owner = this.#ownerOf(item);
    if (!owner || this.#closing) return;
    // Of an attempt that was given up before, the end says nothing new.
    if (isLatest) this.#giving.failed(owner, item, reason, error, delayMs);
    this.#giving.soon(owner);
  }

  #route(kept: KeptMessage): RoutedMessage {
    const { clock, accounts } = this.#parts;
    return {
      ...kept,
      deadlineMono: 0,
      takenMono: clock.monoMs() - Math.max(0, clock.wallMs() - kept.at),
      latency: this.#latency,
      bytes: sizeOf(kept.payload),
      account: accounts.of(kept.subject),
      ask: null,
      sole: false,
      expiresMono: Number.POSITIVE_INFINITY,
      key: kept.extra?.[3] ?? null,
    };
  }

  /** Whoever listens to `dead.>` hears of it at once. */
  #died({ message, reason, failures }: Item, consumer: Consumer): void {
    const { router, accounts } = this.#parts;
    const subject = `dead.${message.subject}`;
    router.deliverLive({ ...message, subject, account: accounts.of(subject) });
    this.#tidings.died({ subject: message.subject, consumer: consumer.description.name, attempts: failures, reason });
  }

  #storageOpened(load: Load, again: boolean): void {
    if (!this.#loaded) this.#load(load);
    if (again) this.#tidings.storage('open', 'the storage thread is back');
    this.#publishing.flushSoon();
    this.#settling.resume();
    for (const consumer of this.#consumers) this.#giving.soon(consumer);
  }

  #storageLost(error: GraceError): void {
    this.#tidings.storage('lost', error.message);
    if (this.#storage.failure) this.#publishing.refuseAll(error);
  }

  /** What the life before left: all of it is accepted and waits. */
  #load({ consumers, lines, ids, nextIds, letters, nextLetter }: Load): void {
    this.#loaded = true;
    this.#membership.load(consumers);
    for (const line of lines) {
      this.#consumers.line(line.line)?.load(line);
      for (const [family, count] of line.sums) this.#parts.accounts.of(family).accepted += count;
    }
    for (const [atMs, text] of ids) this.#publishing.ids.add(JSON.parse(text) as Ids, atMs);
    this.#publishing.nextIds = nextIds;
    this.#settling.letters = letters;
    this.#settling.nextLetter = nextLetter;
    this.#parts.routes.forget();
    this.#isOpen();
    this.#membership.loaded();
  }
}
