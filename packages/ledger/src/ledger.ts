import { type Appended, AppendQueue, type QueueSettings } from './append-queue.ts';
import { storageError } from './failure.ts';
import { diskFiles, type FileLayer } from './files.ts';
import { SEGMENT_HEADER_BYTES } from './format.ts';
import { lockFolder, type WriterLock } from './lock.ts';
import type { Marks } from './marks.ts';
import { type LedgerRecord, readRecords } from './read.ts';
import { recover, type Truncation } from './recovery.ts';
import { SegmentWriter } from './segment-writer.ts';
import { inspectFolder } from './standing.ts';
import { ThroughQueue } from './through-queue.ts';

export interface LedgerOptions {
  dir: string;
  /** The longest time a record waits for company before its batch is written, ms; 5. */
  groupCommitMs?: number;
  /** Records of one batch; 256. */
  maxBatch?: number;
  /** A segment grows no larger than this, unless a single record is; 16 MB. */
  segmentBytes?: number;
  /** Bytes that may wait to be written; 64 MB. Past it `append` rejects with `CONFLICT`. */
  maxPendingBytes?: number;
  /** Whether a batch is made durable before its appends resolve; true. Without it they survive the process, not the machine. */
  sync?: boolean;
  /**
   * Whether `append` hands the record to the operating system before it returns; false. Then the end of the process loses nothing that was
   * appended, and `last` is the newest record written; a rejection because of a failed sync says only that it may not survive the machine.
   */
  writeThrough?: boolean;
}

/** The writer of a folder; there is one at a time. */
export interface Ledger {
  /** The newest durable record; seq 0 and a hash of zeros when there is none. */
  readonly last: Appended;
  /** What was cut off at open because its write never finished; the cut is itself a record (`kind` recovery). */
  readonly recovered: { truncatedBytes: number; segment: string } | null;
  /**
   * Resolves when the record is durable. The order of calls is the order of records.
   * @throws GraceError `STORAGE_FULL` or `STORAGE_FAILED`: the record does not count; a later append may work again.
   *   `CONFLICT`: too much is waiting. `TOO_LARGE`: more than 16 MiB. `LEDGER_CLOSED`
   */
  append(payload: Uint8Array | string): Promise<Appended>;
  /**
   * Durable records `from`, `from + 1`, ..., at most `limit`, read from disk.
   * @throws GraceError `LEDGER_CORRUPT`, `STORAGE_FAILED`
   */
  read(from: number, limit: number): AsyncIterable<LedgerRecord>;
  /** Writes what waits, now; rejects with the first failure among what was appended before. */
  flush(): Promise<void>;
  /** Writes what waits, refuses what comes, gives the folder free. */
  close(): Promise<void>;
}

const BATCH_BYTES_MAX = 4 * 1024 ** 2;

/**
 * Opens the folder for writing and makes it when it is not there. A torn tail is cut off and the cut recorded as the next entry.
 * @throws GraceError `CONFLICT` when the folder has a writer; `LEDGER_CORRUPT` naming segment, offset and seq when something in it is not
 *   what was written; `STORAGE_FULL`, `STORAGE_FAILED`
 */
export function openLedger(options: LedgerOptions): Promise<Ledger> {
  return openLedgerOn(diskFiles, options);
}

/** `openLedger` on another file layer. */
export async function openLedgerOn(files: FileLayer, options: LedgerOptions): Promise<Ledger> {
  const { dir, groupCommitMs = 5, maxBatch = 256, segmentBytes = 16e6, maxPendingBytes = 64e6, sync = true } = options;
  const { writeThrough = false } = options;
  const opening = (error: unknown) => storageError(error, `${dir}: the ledger cannot be opened`);
  await files.makeFolder(dir).catch((error) => Promise.reject(opening(error)));
  const lock = await lockFolder(dir).catch((error) => Promise.reject(opening(error)));
  let writer: SegmentWriter | null = null;
  try {
    const standing = await inspectFolder(files, dir);
    writer = new SegmentWriter(files, { dir, segmentBytes, sync }, standing);
    if (standing.tail) await writer.resume(standing.tail);
    const truncation = await recover(files, dir, standing, writer);
    const settings = { dir, groupCommitMs, maxBatch, maxBatchBytes: batchBytesMax(segmentBytes), maxPendingBytes };
    return new OpenLedger(files, { ...settings, writeThrough }, standing.marks, writer, truncation, lock);
  } catch (error) {
    await writer?.close().catch(() => undefined);
    await lock.release();
    throw opening(error);
  }
}

/** A batch fits into a segment, unless a single record does not. */
const batchBytesMax = (segmentBytes: number): number => Math.min(BATCH_BYTES_MAX, segmentBytes - SEGMENT_HEADER_BYTES);

class OpenLedger implements Ledger {
  readonly recovered: { truncatedBytes: number; segment: string } | null;
  readonly #files: FileLayer;
  readonly #dir: string;
  readonly #marks: Marks;
  readonly #writer: SegmentWriter;
  readonly #queue: Pick<AppendQueue, 'append' | 'flush' | 'close'>;
  readonly #lock: WriterLock;
  #closing: Promise<void> | null = null;

  constructor(
    files: FileLayer,
    settings: QueueSettings & { writeThrough: boolean },
    marks: Marks,
    writer: SegmentWriter,
    truncation: Truncation | null,
    lock: WriterLock,
  ) {
    this.#files = files;
    this.#dir = settings.dir;
    this.#marks = marks;
    this.#writer = writer;
    this.#lock = lock;
    this.#queue = settings.writeThrough
      ? new ThroughQueue(settings, writer)
      : new AppendQueue(settings, async (records, upNext) => {
          const firstSeq = writer.last.seq + 1;
          return { firstSeq, hashes: await writer.commit(records, upNext) };
        });
    this.recovered = truncation && { truncatedBytes: truncation.truncatedBytes, segment: truncation.segment };
  }

  get last(): Appended {
    return this.#writer.last;
  }

  append(payload: Uint8Array | string): Promise<Appended> {
    return this.#queue.append(payload);
  }

  async *read(from: number, limit: number): AsyncGenerator<LedgerRecord> {
    try {
      yield* readRecords(this.#files, this.#dir, { from, limit, until: this.last.seq, marks: this.#marks });
    } catch (error) {
      throw storageError(error, `${this.#dir}: the ledger cannot be read`);
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
    try {
      await this.#writer.close();
    } finally {
      await this.#lock.release();
    }
  }
}
