import {
  type DeadLetter,
  type DeadLetterPage,
  type DeadLetterQuery,
  type DeadLetterSelection,
  GraceError,
} from '@grace/contracts';
import type { RoutedMessage } from '../broker/message.ts';
import { checkPattern, familyOf } from '../subject/subject.ts';
import { laneOf } from '../wire/frames.ts';
import { unpack } from '../wire/payload.ts';
import { Block, decode, encode, type KeptMessage, writeSums } from './block.ts';
import type { Consumers } from './consumers.ts';
import type { Line } from './line.ts';
import type { Publishing } from './publishing.ts';
import type { Settling } from './settling.ts';
import type { LetterQuery, LetterRow, Write } from './storage/orders.ts';
import type { Storage } from './storage.ts';

/** Letters that are replayed or purged in one commit. */
const GROUP = 256;
const DEFAULT_LIMIT = 100;

export interface LettersParts {
  consumers: Consumers;
  storage: Storage;
  settling: Settling;
  publishing: Publishing;
  route(message: KeptMessage): RoutedMessage;
  arrived(line: Line): void;
}

/** Messages whose last attempt failed: kept until somebody replays or purges them. */
export class Letters {
  readonly #parts: LettersParts;
  /** One replay or purge at a time: two would take the same letters. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(parts: LettersParts) {
    this.#parts = parts;
  }

  /** @throws GraceError `BUS_BAD_SUBJECT`; `STORAGE_FAILED` */
  async read(query: DeadLetterQuery): Promise<DeadLetterPage> {
    const { subject, consumer, after = 0, limit = DEFAULT_LIMIT, payload = false } = query;
    if (subject !== undefined) checkPattern(subject);
    const rows = await this.#rows({ ...(subject && { subject }), ...(consumer && { consumer }), after, limit });
    return {
      letters: rows.map((row) => toLetter(row, payload)),
      next: rows.length === limit ? rows.at(-1)![0] : null,
      total: this.#parts.settling.letters,
    };
  }

  /**
   * Gives letters back to their consumers, from the first attempt on; where the consumer is gone, to the first that claims the subject.
   * @throws GraceError `NOT_FOUND` when an id is named that is not there; `BUS_BAD_SUBJECT`; `STORAGE_FULL`, `STORAGE_FAILED`
   */
  replay(selection: DeadLetterSelection): Promise<number> {
    return this.#each(selection, async (rows) => {
      await this.#parts.publishing.whenUnclaimed();
      await this.#giveBack(rows);
    });
  }

  /** @throws GraceError as `replay` */
  purge(selection: DeadLetterSelection): Promise<number> {
    return this.#each(selection, async (rows) => {
      await this.#parts.storage.ask({ t: 'purge', ids: rows.map(([id]) => id) });
      this.#parts.settling.letters -= rows.length;
    });
  }

  #each(selection: DeadLetterSelection, work: (rows: LetterRow[]) => Promise<void>): Promise<number> {
    const { id, subject, consumer } = selection;
    if (subject !== undefined) checkPattern(subject);
    const only = { ...(id !== undefined && { id }), ...(subject && { subject }), ...(consumer && { consumer }) };
    const run = async (): Promise<number> => {
      let done = 0;
      for (let after = 0; ; ) {
        const rows = await this.#rows({ ...only, after, limit: GROUP });
        if (rows.length > 0) await work(rows);
        done += rows.length;
        if (rows.length < GROUP) break;
        after = rows.at(-1)![0];
      }
      if (done === 0 && id !== undefined) throw new GraceError('NOT_FOUND', `no dead letter has the id ${id}`);
      return done;
    };
    const turn = this.#turn.then(run);
    this.#turn = turn.catch(() => {});
    return turn;
  }

  async #giveBack(rows: LetterRow[]): Promise<void> {
    const { consumers, storage, settling } = this.#parts;
    const writes: Write[] = [];
    const blocks: { line: Line; block: Block; bytes: number }[] = [];
    for (const [id, name, subject, , , , , bytes, body] of rows) {
      const kept: KeptMessage = { ...decode(body)[0]!, expiresMs: 0 };
      const consumer = consumers.find(name);
      const lane = laneOf(kept.flags);
      const line = (consumer?.kept ? consumer.lines : consumers.unclaimed)[lane]!;
      const block = new Block(line.number, line.reserve(1, bytes), 1, kept.at, null);
      block.add(this.#parts.route(kept), 0, 0, 0);
      const sums = writeSums(new Map([[familyOf(subject), { count: 1, bytes }]]));
      const unclaimed = consumer?.kept ? null : subject;
      writes.push(
        ['block', line.number, block.first, 1, kept.at, null, unclaimed, sums, encode([kept])],
        ['unletter', id],
      );
      const isAwaited = consumer?.kept === true && consumer.members.length > 0;
      if (line.expectsNext(block.first, isAwaited)) writes.push(['sent', line.number, block.first]);
      blocks.push({ line, block, bytes });
    }
    await new Promise<void>((resolve, reject) => {
      storage.send(
        { t: 'write', writes },
        () => {
          settling.letters -= rows.length;
          for (const { line, block, bytes } of blocks) {
            block.items[0]!.message.account.accepted++;
            line.arrived(block.first, 1, bytes, block.sums, block.atMs);
            if (line.mayHold(block.first)) line.hold(block);
            this.#parts.arrived(line);
          }
          resolve();
        },
        (error) => {
          for (const { line, block, bytes } of blocks) line.refused(block.first, 1, bytes);
          reject(error);
        },
      );
    });
  }

  #rows(query: LetterQuery): Promise<LetterRow[]> {
    return this.#parts.storage.ask({ t: 'letters', query });
  }
}

function toLetter(row: LetterRow, withPayload: boolean): DeadLetter {
  const [id, consumer, subject, diedAt, attempts, reason, error, bytes, body] = row;
  const message = decode(body)[0]!;
  return {
    id,
    messageId: message.id,
    subject,
    from: message.from,
    at: message.at,
    consumer,
    attempts,
    diedAt,
    reason: reason as DeadLetter['reason'],
    ...(error !== null && { error }),
    bytes,
    ...(withPayload && { payload: unpack(message.payload, message.flags) }),
  };
}
