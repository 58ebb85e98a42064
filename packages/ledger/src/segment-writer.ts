import { join } from 'node:path';
import type { Appended } from './append-queue.ts';
import { storageError } from './failure.ts';
import { type FileLayer, type LedgerFile, writeAll, writeAllNow } from './files.ts';
import {
  encodeHeader,
  encodeRecord,
  GENESIS_HASH,
  RECORD_OVERHEAD_BYTES,
  type RecordDraft,
  SEGMENT_HEADER_BYTES,
  type SegmentHeader,
} from './format.ts';
import { Marks } from './marks.ts';
import { type SegmentName, segmentName } from './segments.ts';
import type { Standing } from './standing.ts';

export interface WriterSettings {
  dir: string;
  segmentBytes: number;
  /** A segment that is older gets no further batch. */
  segmentAgeMs: number;
  sync: boolean;
  /** Told of the newest record that has become durable. */
  onDurable?: (last: Appended) => void;
}

interface Encoded {
  batch: readonly RecordDraft[];
  bytes: Buffer;
  hashes: string[];
  previousHash: string;
  last: { seq: number; hash: string };
}

/**
 * Writes batches, one at a time. What counts is what a batch has reached: `last` and the length of the segment move only after the sync.
 * A failed batch leaves bytes behind that are cut off before anything else is written; until that has worked nothing is accepted.
 */
export class SegmentWriter {
  last: Appended = { seq: 0, hash: GENESIS_HASH };
  marks = new Marks([]);
  readonly #files: FileLayer;
  readonly #settings: WriterSettings;
  #file: LedgerFile | null = null;
  #length = 0;
  /** Of the segment that is open. */
  #segment: SegmentName | null = null;
  #createdMs = 0;
  /** Bytes of the batch that is being written, behind `#length`. */
  #underWay = 0;
  /** Bytes behind `#length` may exist that belong to nobody. */
  #dirty = false;
  /** The next batch begins a new segment. Stays set until one exists: its name is taken from the next seq, so no record may go elsewhere. */
  #rollDue = true;
  #ahead: Encoded | null = null;
  /** The newest record that is known to be durable; only `put` lets records be newer. */
  #durableSeq = 0;
  #syncing: Promise<void> = Promise.resolve();
  /** Two in turn: one is being written while the next batch is encoded into the other. */
  #buffers: [Buffer, Buffer] = [Buffer.allocUnsafe(0), Buffer.allocUnsafe(0)];

  constructor(files: FileLayer, settings: WriterSettings) {
    this.#files = files;
    this.#settings = settings;
  }

  /** Goes on where the folder stands, whatever was open before. No batch is under way. */
  async begin({ last, marks, tail }: Standing): Promise<void> {
    await this.#file?.close().catch(() => undefined);
    this.#file = null;
    this.marks = marks;
    this.last = last;
    this.#durableSeq = last.seq;
    this.#ahead = null;
    this.#dirty = false;
    this.#rollDue = tail === null;
    this.#segment = tail?.segment ?? null;
    this.#length = tail?.length ?? 0;
    this.#createdMs = tail?.createdMs ?? 0;
    if (tail) this.#file = await this.#files.open(tail.segment.path, 'write');
  }

  /** The segment that is open: its good length, and how far a write under way may reach. */
  get place(): { file: LedgerFile; segment: SegmentName; length: number; reach: number } | null {
    if (!this.#file || !this.#segment) return null;
    return { file: this.#file, segment: this.#segment, length: this.#length, reach: this.#length + this.#underWay };
  }

  /** Cuts off what a failed write left behind. */
  async mend(): Promise<void> {
    if (this.#dirty) await this.#mend();
  }

  /** Cuts the segment at its good length, durably. */
  async cut(): Promise<void> {
    this.#dirty = true;
    await this.#mend();
  }

  /**
   * Resolves with the hash of each record when all are durable. While the disk syncs, `upNext` is asked for the batch that comes next, so
   * that it is encoded by then; its place holds only if this batch succeeds, else it is encoded again.
   * @throws GraceError `STORAGE_FULL`, `STORAGE_FAILED`: none of the batch counts
   */
  async commit(batch: readonly RecordDraft[], upNext?: () => readonly RecordDraft[] | null): Promise<string[]> {
    try {
      if (this.#dirty) await this.#mend();
      const encoded = this.#isAhead(batch) ? this.#ahead! : this.#encode(batch, this.last);
      this.#ahead = null;
      if (this.#isRollDue(encoded.bytes.length)) await this.#roll();
      this.#dirty = true;
      this.#underWay = encoded.bytes.length;
      await writeAll(this.#file!, encoded.bytes, this.#length);
      const synced = this.#sync(this.#file!);
      const next = upNext?.();
      if (next) this.#ahead = this.#encode(next, encoded.last);
      await synced;
      this.#dirty = false;
      this.marks.note(this.last.seq + 1, this.#segment!, this.#length);
      this.#length += encoded.bytes.length;
      this.#underWay = 0;
      this.last = encoded.last;
      this.#durableSeq = encoded.last.seq;
      this.#settings.onDurable?.(this.last);
      return encoded.hashes;
    } catch (error) {
      // Tried at once so that space is free again; when it fails too, the next batch begins with it.
      if (this.#dirty) await this.#mend().catch(() => undefined);
      throw storageError(error, `${this.#settings.dir}: a batch of ${batch.length} records was not written`);
    }
  }

  /**
   * Gives one record to the operating system before it returns: from then on it survives the process, and after `settle` the machine.
   * Not to be mixed with a `commit` under way.
   * @throws GraceError `STORAGE_FULL`, `STORAGE_FAILED`: the record does not count
   */
  put(record: RecordDraft): Appended {
    try {
      if (this.#dirty) this.#mendNow();
      const recordBytes = RECORD_OVERHEAD_BYTES + record.payloadBytes;
      if (this.#isRollDue(recordBytes)) this.#rollNow();
      if (this.#buffers[0].length < recordBytes) this.#buffers[0] = Buffer.allocUnsafe(recordBytes);
      const bytes = this.#buffers[0].subarray(0, recordBytes);
      const seq = this.last.seq + 1;
      // Whatever is not known to be durable may be torn together, as if it were one batch.
      const batchIndex = seq - this.#durableSeq - 1;
      const hash = encodeRecord(bytes, 0, record, { seq, batchIndex, previousHash: this.last.hash });
      this.#dirty = true;
      writeAllNow(this.#file!, bytes, this.#length);
      this.#dirty = false;
      this.marks.note(seq, this.#segment!, this.#length);
      this.#length += recordBytes;
      this.last = { seq, hash };
      return this.last;
    } catch (error) {
      throw storageError(error, `${this.#settings.dir}: a record was not written`);
    }
  }

  /** Makes durable what was `put`; one at a time. */
  async settle(): Promise<void> {
    const { last } = this;
    const { seq } = last;
    if (!this.#file || seq === this.#durableSeq) return;
    this.#syncing = this.#sync(this.#file);
    try {
      await this.#syncing;
    } catch (error) {
      throw storageError(error, `${this.#settings.dir}: records up to ${seq} are not known to be durable`);
    }
    if (seq <= this.#durableSeq) return;
    this.#durableSeq = seq;
    this.#settings.onDurable?.(last);
  }

  /** `settle`, before it returns: for a writer that is too far ahead of the disk. */
  settleNow(): void {
    if (this.#file) this.#syncNow(this.#file);
    this.#durableSeq = this.last.seq;
  }

  #isRollDue(bytes: number): boolean {
    const { segmentBytes, segmentAgeMs } = this.#settings;
    const isOver = this.#length + bytes > segmentBytes || Date.now() - this.#createdMs > segmentAgeMs;
    if (isOver && this.#length > SEGMENT_HEADER_BYTES) this.#rollDue = true;
    return this.#rollDue;
  }

  async close(): Promise<void> {
    if (this.#dirty) await this.#mend().catch(() => undefined);
    await this.#file?.close();
    this.#file = null;
  }

  #isAhead(batch: readonly RecordDraft[]): boolean {
    return this.#ahead?.batch === batch && this.#ahead.previousHash === this.last.hash;
  }

  #encode(batch: readonly RecordDraft[], before: { seq: number; hash: string }): Encoded {
    let length = 0;
    for (const record of batch) length += RECORD_OVERHEAD_BYTES + record.payloadBytes;
    this.#buffers.reverse();
    if (this.#buffers[0].length < length) this.#buffers[0] = Buffer.allocUnsafe(length);
    const bytes = this.#buffers[0].subarray(0, length);
    const hashes: string[] = [];
    let { seq, hash } = before;
    let at = 0;
    for (const [batchIndex, record] of batch.entries()) {
      hash = encodeRecord(bytes, at, record, { seq: ++seq, batchIndex, previousHash: hash });
      hashes.push(hash);
      at += RECORD_OVERHEAD_BYTES + record.payloadBytes;
    }
    return { batch, bytes, hashes, previousHash: before.hash, last: { seq, hash } };
  }

  async #mend(): Promise<void> {
    if (this.#file) {
      await this.#file.truncate(this.#length);
      await this.#sync(this.#file);
    }
    this.#underWay = 0;
    this.#dirty = false;
  }

  /** The new segment exists, with its name, before the first record goes into it; the old one is closed only then. */
  async #roll(): Promise<void> {
    const { segment, header } = this.#nextSegment();
    const file = await this.#files.open(segment.path, 'create');
    try {
      await writeAll(file, encodeHeader(header), 0);
      await this.#sync(file);
      if (this.#settings.sync) await this.#files.syncFolder(this.#settings.dir);
    } catch (error) {
      await file.close().catch(() => undefined);
      await this.#files.remove(segment.path).catch(() => undefined);
      throw error;
    }
    const old = this.#file;
    this.#file = file;
    this.#opened(segment, header);
    await old?.close().catch(() => undefined);
  }

  /** Once in a segment the disk is waited for: the old segment must be durable before a new one continues it. */
  #rollNow(): void {
    const old = this.#file;
    this.settleNow();
    const { segment, header } = this.#nextSegment();
    const file = this.#files.createNow(segment.path);
    try {
      writeAllNow(file, encodeHeader(header), 0);
      this.#syncNow(file);
      if (this.#settings.sync) this.#files.syncFolderNow(this.#settings.dir);
    } catch (error) {
      // The name stays: it is the next record's, and is written anew when that record comes.
      void file.close().catch(() => undefined);
      throw error;
    }
    this.#file = file;
    this.#opened(segment, header);
    void this.#syncing.catch(() => undefined).then(() => old?.close().catch(() => undefined));
  }

  #nextSegment(): { segment: SegmentName; header: SegmentHeader } {
    const firstSeq = this.last.seq + 1;
    const name = segmentName(firstSeq);
    const previousRecords = this.#segment ? firstSeq - this.#segment.firstSeq : 0;
    return {
      segment: { name, path: join(this.#settings.dir, name), firstSeq },
      header: { firstSeq, createdMs: Date.now(), previousHash: this.last.hash, previousRecords },
    };
  }

  #opened(segment: SegmentName, { createdMs }: SegmentHeader): void {
    this.#segment = segment;
    this.#createdMs = createdMs;
    this.#length = SEGMENT_HEADER_BYTES;
    this.#rollDue = false;
    this.marks.open(segment);
  }

  #mendNow(): void {
    if (this.#file) {
      this.#file.now.truncate(this.#length);
      this.#syncNow(this.#file);
    }
    this.#dirty = false;
  }

  async #sync(file: LedgerFile): Promise<void> {
    if (this.#settings.sync) await file.sync();
  }

  #syncNow(file: LedgerFile): void {
    if (this.#settings.sync) file.now.sync();
  }
}
