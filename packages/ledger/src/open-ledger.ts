import { GraceError } from '@grace/contracts';
import { type Appended, AppendQueue } from './append-queue.ts';
import { type Epoch, missingOf, type SealedEpoch } from './epoch/epochs.ts';
import type { Anchor, SeqRange } from './epoch/seal.ts';
import { storageError } from './failure.ts';
import type { FileLayer } from './files.ts';
import { GENESIS_HASH, type RecordDraft, SEGMENT_HEADER_BYTES } from './format.ts';
import { Head } from './head.ts';
import type { Ledger, LedgerOptions } from './interface.ts';
import type { WriterLock } from './lock.ts';
import { Lookout } from './look.ts';
import type { LedgerProblem } from './problems.ts';
import { readRecords } from './read.ts';
import type { LedgerRecord } from './record.ts';
import { Mirror, type MirrorState } from './repair/mirror.ts';
import { type Repair, type RepairOrder, type RepairPlace, repairFolder } from './repair/repair.ts';
import { SegmentWriter } from './segment-writer.ts';
import { type Settled, settleFolder } from './settle.ts';
import { ThroughQueue } from './through-queue.ts';

const BATCH_BYTES_MAX = 4 * 1024 ** 2;
const DAY_MS = 86_400_000;

/** The writer behind `openLedger`. */
export class OpenLedger implements Ledger {
  recovered: { truncatedBytes: number; segment: string } | null = null;
  repaired: Repair | null = null;
  epoch: Epoch = { number: 1, base: { seq: 0, hash: GENESIS_HASH } };
  readonly #files: FileLayer;
  readonly #options: LedgerOptions;
  readonly #place: RepairPlace;
  readonly #writer: SegmentWriter;
  readonly #queue: Pick<AppendQueue, 'append' | 'flush' | 'close'>;
  readonly #head: Head;
  readonly #mirror: Mirror | null;
  readonly #lookout: Lookout;
  readonly #lock: WriterLock;
  #sealed: readonly SealedEpoch[] = [];
  /** A repair that failed half-way left the folder in no state to go on with; the next batch begins with bringing it into one. */
  #unsettled = true;
  #repairing: Promise<void> | null = null;
  #committing: Promise<unknown> = Promise.resolve();
  #closing: Promise<void> | null = null;

  constructor(files: FileLayer, options: LedgerOptions, lock: WriterLock) {
    const { dir, groupCommitMs = 5, maxBatch = 256, segmentBytes = 16e6, maxPendingBytes = 64e6 } = options;
    const { sync = true, segmentAgeMs = DAY_MS, outerHead, mirror, companions = [] } = options;
    this.#files = files;
    this.#options = options;
    this.#lock = lock;
    this.#place = { dir, outerHead, mirror, companions };
    this.#head = new Head(files, dir, outerHead);
    this.#mirror = mirror === undefined ? null : new Mirror(files, dir, mirror);
    // Without a sync nothing is known to be durable, so nothing may be noted as such.
    const onDurable = (last: Appended) => {
      if (sync) this.#head.note(last);
      this.#mirror?.note(last);
    };
    this.#writer = new SegmentWriter(files, { dir, segmentBytes, segmentAgeMs, sync, onDurable });
    this.#lookout = new Lookout(files, dir, this.#writer);
    // A batch fits into a segment, unless a single record does not.
    const maxBatchBytes = Math.min(BATCH_BYTES_MAX, segmentBytes - SEGMENT_HEADER_BYTES);
    const settings = { dir, groupCommitMs, maxBatch, maxBatchBytes, maxPendingBytes };
    this.#queue = options.writeThrough
      ? new ThroughQueue(settings, this.#writer)
      : new AppendQueue(settings, (records, upNext) => this.#commit(records, upNext));
  }

  /** Once, before anything else; `order`: repairs first, whether it seems to be needed or not. */
  async open(order?: RepairOrder): Promise<Repair | null> {
    this.#take(await this.#settle(order ?? null));
    this.#mirror?.resume(this.last);
    return this.repaired;
  }

  get last(): Appended {
    return this.#writer.last;
  }

  get missing(): readonly SeqRange[] {
    return missingOf(this.#sealed);
  }

  get mirror(): MirrorState | null {
    return this.#mirror?.state ?? null;
  }

  append(payload: Uint8Array | string): Promise<Appended> {
    return this.#queue.append(payload);
  }

  async *read(from: number, limit: number): AsyncGenerator<LedgerRecord> {
    const range = { from, limit, until: this.last.seq, marks: this.#writer.marks, sealed: this.#sealed };
    try {
      yield* readRecords(this.#files, this.#options.dir, range);
    } catch (error) {
      throw storageError(error, `${this.#options.dir}: the ledger cannot be read`);
    }
  }

  async look(): Promise<LedgerProblem[]> {
    if (this.#repairing) return [];
    try {
      const found = await this.#lookout.look();
      return this.#repairing ? [] : found;
    } catch (error) {
      throw storageError(error, `${this.#options.dir}: the files of the ledger cannot be looked at`);
    }
  }

  async repair({ onEpoch, ...order }: Parameters<Ledger['repair']>[0]): Promise<Repair> {
    const { dir } = this.#options;
    if (this.#options.writeThrough) {
      throw new GraceError('CONFLICT', `${dir} is written through: it is repaired when it is opened`, { dir });
    }
    if (this.#repairing) throw new GraceError('CONFLICT', `${dir} is being repaired already`, { dir });
    const ended = Promise.withResolvers<void>();
    this.#repairing = ended.promise;
    try {
      await this.#committing.catch(() => undefined);
      const known = { ...order, anchors: [...(order.anchors ?? []), await this.#ownAnchor()] };
      if (order.dryRun) return await repairFolder(this.#files, this.#place, known);
      await this.#writer.mend();
      await this.#head.close();
      await this.#mirror?.pause();
      this.#unsettled = true;
      const settled = await this.#settle(known);
      this.#take(settled);
      if (settled.repair!.action === 'sealed') await onEpoch?.(this.epoch);
      return settled.repair!;
    } catch (error) {
      throw storageError(error, `${dir}: the ledger cannot be repaired`);
    } finally {
      if (!this.#unsettled) this.#mirror?.resume(this.last);
      this.#repairing = null;
      ended.resolve();
    }
  }

  flush(): Promise<void> {
    return this.#queue.flush();
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    await this.#queue.close();
    await this.#repairing;
    try {
      await this.#head.close();
      await this.#mirror?.close();
      await this.#writer.close();
    } finally {
      await this.#lock.release();
    }
  }

  async #commit(
    records: readonly RecordDraft[],
    upNext: () => readonly RecordDraft[] | null,
  ): Promise<{ firstSeq: number; hashes: string[] }> {
    while (this.#repairing) await this.#repairing;
    const commit = async () => {
      if (this.#unsettled) await this.#settleAgain();
      const firstSeq = this.#writer.last.seq + 1;
      const hashes = await this.#writer.commit(records, upNext);
      this.#options.onDurable?.({ firstSeq, records, hashes });
      return { firstSeq, hashes };
    };
    const committing = commit();
    this.#committing = committing;
    return committing;
  }

  async #settleAgain(): Promise<void> {
    try {
      this.#take(await this.#settle(null));
      this.#mirror?.resume(this.last);
    } catch (error) {
      throw storageError(error, `${this.#options.dir}: an interrupted repair cannot be finished`);
    }
  }

  async #settle(order: RepairOrder | null): Promise<Settled> {
    try {
      return await settleFolder(this.#files, this.#place, this.#writer, order);
    } catch (error) {
      const isDamage = error instanceof GraceError && error.code === 'LEDGER_CORRUPT';
      if (order || !isDamage || this.#options.onDamage !== 'repair') throw error;
      return settleFolder(this.#files, this.#place, this.#writer, {
        by: 'the ledger at its start',
        reason: error.message,
      });
    }
  }

  #take({ epoch, sealed, truncation, repair }: Settled): void {
    this.epoch = epoch;
    this.#sealed = sealed;
    this.#unsettled = false;
    if (repair) this.repaired = repair;
    if (truncation) this.recovered = { truncatedBytes: truncation.truncatedBytes, segment: truncation.segment };
    this.#lookout.forget();
  }

  /** What this writer knows; it lies in the folder as long as the file that it writes does. */
  async #ownAnchor(): Promise<Anchor> {
    const { place, last } = this.#writer;
    const look = place && (await this.#files.look(place.segment.path));
    const inside = look === null || look.identity === (await place!.file.identity());
    return { source: 'living writer', inside, ...last };
  }
}
