import type { Clock, ErrorCode, GraceError } from '@grace/contracts';
import type { Connection } from '../broker/connection.ts';
import type { RoutedMessage } from '../broker/message.ts';
import type { Router } from '../broker/router.ts';
import { BATCH_MESSAGES, laneOf } from '../wire/frames.ts';
import { Lanes } from '../wire/lanes.ts';
import { AcceptedIds } from './accepted-ids.ts';
import { Block } from './block.ts';
import { Commit, type CommitParts, type Draft, type Publish } from './commit.ts';
import type { Line } from './line.ts';
import type { Storage } from './storage.ts';

/** Payload bytes of one commit; the last message may go beyond. */
const COMMIT_BYTES = 1024 ** 2;
/** Commits under way: one is written while the next is on its way. */
const COMMITS_UNDER_WAY = 2;
/** What may wait for a commit, of all clients together; each is held by its own window long before. */
const WAITING_MESSAGES = 16_384;
const WAITING_BYTES = 64 * 1024 ** 2;
const DEADLINE_CHECK_MS = 25;

export interface PublishingParts extends CommitParts {
  storage: Storage;
  router: Router;
  clock: Clock;
  /** Something is ready to be sent. */
  arrived(line: Line): void;
}

/**
 * Durable messages on their way to the disk. What queues while a commit runs is the next commit; a publish is accepted when its commit is on
 * disk, and not before.
 */
export class Publishing {
  readonly #parts: PublishingParts;
  readonly #waiting = new Lanes<Publish>();
  #waitingBytes = 0;
  /** No deadline of what waits is earlier. */
  #earliestMono = Number.POSITIVE_INFINITY;
  readonly ids: AcceptedIds;
  nextIds = 1;
  #underWay: Commit[] = [];
  #flushing = false;
  /** While a new consumer claims what nobody had, nothing else may be written: it is the consumer's too. */
  #claims = 0;
  #claimsDone: (() => void)[] = [];
  #timer: NodeJS.Timeout | undefined;
  duplicates = 0;
  refused = 0;

  constructor(parts: PublishingParts) {
    this.#parts = parts;
    this.ids = new AcceptedIds(parts.settings.duplicateWindowMs);
  }

  offer(connection: Connection, number: number, message: RoutedMessage, acceptByMono: number, seen: boolean): void {
    const { failure } = this.#parts.storage;
    if (failure) {
      this.#refuse(connection, number, 'BUS_OVERLOADED', failure.message);
      return;
    }
    if (this.#waiting.size >= WAITING_MESSAGES || this.#waitingBytes >= WAITING_BYTES) {
      this.#refuse(connection, number, 'BUS_OVERLOADED', 'too many durable messages wait for the disk');
      return;
    }
    this.#waiting.push(laneOf(message.flags), { connection, number, message, acceptByMono, seen, again: undefined });
    this.#waitingBytes += message.bytes;
    if (acceptByMono < this.#earliestMono) this.#earliestMono = acceptByMono;
    this.flushSoon();
  }

  flushSoon(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    queueMicrotask(() => {
      this.#flushing = false;
      this.#flush();
    });
  }

  /** The storage cannot be opened: nobody waits for it in vain. */
  refuseAll(error: GraceError): void {
    for (let next = this.#take(); next; next = this.#take()) this.#decide(next, 'BUS_OVERLOADED', error.message);
  }

  beginClaim(): void {
    this.#claims++;
  }

  endClaim(): void {
    if (--this.#claims > 0) return;
    for (const go of this.#claimsDone.splice(0)) go();
    this.flushSoon();
  }

  get claiming(): boolean {
    return this.#claims > 0;
  }

  whenUnclaimed(): Promise<void> {
    return this.#claims === 0 ? Promise.resolve() : new Promise((resolve) => this.#claimsDone.push(resolve));
  }

  close(): void {
    clearTimeout(this.#timer);
  }

  #flush(): void {
    const { storage } = this.#parts;
    const mayCommit = (): boolean => storage.open && this.#claims === 0 && this.#underWay.length < COMMITS_UNDER_WAY;
    while (this.#waiting.size > 0 && mayCommit()) this.#commit();
    if (this.#waiting.size > 0) this.#timer ??= setTimeout(() => this.#expire(), DEADLINE_CHECK_MS).unref();
  }

  #commit(): void {
    const { clock, storage, consumers } = this.#parts;
    const commit = new Commit(this.#parts, clock.wallMs());
    this.#fill(commit, clock.monoMs());
    if (commit.publishes.length === 0) return;
    const { ids, atMs } = commit;
    const writes = commit.write((line) => (consumers.owner(line.number)?.members.length ?? 0) > 0);
    writes.push(['ids', this.nextIds++, atMs, JSON.stringify(ids)]);
    this.#underWay.push(commit);
    storage.send(
      { t: 'write', writes },
      () => {
        this.#underWay = this.#underWay.filter((one) => one !== commit);
        this.ids.add(ids, atMs);
        for (const draft of commit.drafts) this.#committed(draft, atMs);
        for (const publish of commit.publishes) {
          publish.connection.principal.published++;
          this.#decide(publish);
          this.#parts.router.deliverLive(publish.message);
        }
        this.flushSoon();
      },
      (error) => {
        this.#underWay = this.#underWay.filter((one) => one !== commit);
        for (const { line, first, messages, bytes } of commit.drafts) {
          if (messages.length > 0) line.refused(first, messages.length, bytes);
        }
        this.refused += commit.publishes.length;
        for (const publish of commit.publishes)
          this.#decide(publish, 'BUS_OVERLOADED', `${error.code}: ${error.message}`);
        this.flushSoon();
      },
    );
  }

  #fill(commit: Commit, nowMono: number): void {
    while (commit.publishes.length < BATCH_MESSAGES && commit.bytes < COMMIT_BYTES) {
      const publish = this.#take();
      if (!publish) return;
      if (publish.acceptByMono <= nowMono) {
        this.#decide(publish, 'BUS_DEADLINE', 'the deadline passed before it could be written');
      } else if (!publish.seen || !this.#isKnown(publish, commit)) {
        if (commit.add(publish)) continue;
        this.refused++;
        this.#decide(publish, 'BUS_OVERLOADED', 'as much as may be kept for those who hear it waits on disk already');
      }
    }
  }

  /** It is on disk already, or on its way there: then it is decided with the first of its kind. */
  #isKnown(publish: Publish, commit: Commit): boolean {
    const { message } = publish;
    if (this.ids.has(message.from, message.id, commit.atMs)) {
      this.duplicates++;
      this.#decide(publish);
      return true;
    }
    for (const other of [...this.#underWay, commit]) {
      const first = other.find(message);
      if (!first) continue;
      this.duplicates++;
      first.again = [...(first.again ?? []), publish];
      return true;
    }
    return false;
  }

  #committed({ line, messages, sums, first, bytes }: Draft, atMs: number): void {
    if (messages.length === 0) return;
    for (const message of messages) message.account.accepted++;
    line.arrived(first, messages.length, bytes, sums, atMs);
    if (line.mayHold(first)) {
      const block = new Block(line.number, first, messages.length, atMs, null);
      for (let i = 0; i < messages.length; i++) block.add(messages[i]!, i, 0, 0);
      line.hold(block);
    }
    // Also what is on disk alone: where nothing is given, no acknowledgement would ask for the page that it is on.
    this.#parts.arrived(line);
  }

  #take(): Publish | undefined {
    const publish = this.#waiting.shift();
    if (publish) this.#waitingBytes -= publish.message.bytes;
    return publish;
  }

  /** Tells the sender, on every wire on which it asked; without a code it is accepted. */
  #decide(publish: Publish, code?: ErrorCode, words?: string): void {
    const { connection, number, again } = publish;
    if (connection.open) {
      if (code === undefined) this.#parts.router.acceptAgain(connection, number);
      else this.#refuse(connection, number, code, words!);
    }
    for (const one of again ?? []) this.#decide(one, code, words);
  }

  #refuse(connection: Connection, number: number, code: ErrorCode, words: string): void {
    connection.refuse(number, number, code, words);
    connection.announce();
  }

  #expire(): void {
    this.#timer = undefined;
    const nowMono = this.#parts.clock.monoMs();
    const late: Publish[] = [];
    if (this.#earliestMono <= nowMono) {
      this.#earliestMono = Number.POSITIVE_INFINITY;
      this.#waiting.filter((publish) => {
        if (publish.acceptByMono <= nowMono) late.push(publish);
        else this.#earliestMono = Math.min(this.#earliestMono, publish.acceptByMono);
        return publish.acceptByMono > nowMono;
      });
    }
    for (const publish of late) {
      this.#waitingBytes -= publish.message.bytes;
      this.#decide(publish, 'BUS_DEADLINE', 'it could not be written in time');
    }
    this.#flush();
  }
}
