import type { GraceError } from '@grace/contracts';
import { Chain } from './chain.ts';
import { awaitSealing, epochAfter, listSealed, type SealedEpoch } from './epoch/epochs.ts';
import { readSealed } from './epoch/read-sealed.ts';
import { corrupt, storageError } from './failure.ts';
import { diskFiles, type FileLayer, type LedgerFile } from './files.ts';
import { field, SEGMENT_HEADER_BYTES } from './format.ts';
import { type Mark, Marks } from './marks.ts';
import { type LedgerRecord, recordAt } from './record.ts';
import { listSegments, readHeader, type SegmentName } from './segments.ts';
import { isTorn, isTornHeader, readRest } from './tail.ts';
import { type Visit, walkRecords } from './walk.ts';

export type { LedgerRecord } from './record.ts';

export interface ReadRange {
  from: number;
  limit: number;
  /** The newest record the caller may see; a reader without the writer's knowledge reads to the end. */
  until?: number;
  /** Where records of the present epoch begin; what the read finds out goes into it. */
  marks?: Marks;
  /** The epochs before the present one, as far as the caller knows them already. */
  sealed?: readonly SealedEpoch[];
}

const PAGE_RECORDS = 256;
const PAGE_BYTES = 1024 ** 2;
const CHUNK_BYTES = 128 * 1024;

/**
 * Records in order, from disk, epoch by epoch; what was lost with a sealed epoch is not there. A torn tail of the newest segment is where
 * a live writer is writing: the reader ends before it.
 * @throws GraceError `LEDGER_CORRUPT` at a record that is not what was written
 */
export async function* readRecords(files: FileLayer, dir: string, range: ReadRange): AsyncGenerator<LedgerRecord> {
  const from = Math.max(1, range.from);
  const until = Math.min(range.until ?? Number.POSITIVE_INFINITY, from + range.limit - 1);
  if (until < from) return;
  if (!range.sealed) await awaitSealing(files, dir);
  const sealed = range.sealed ?? (await listSealed(files, dir));
  for (const epoch of sealed) yield* readSealed(files, epoch, { from, until });
  const { base } = await epochAfter(files, dir, sealed);
  if (until > base.seq) yield* readEpoch(files, dir, { from: Math.max(from, base.seq + 1), until }, range.marks);
}

async function* readEpoch(
  files: FileLayer,
  dir: string,
  { from, until }: { from: number; until: number },
  marks: Marks | undefined,
): AsyncGenerator<LedgerRecord> {
  const known = marks ?? new Marks((await listSegments(files, dir)).segments);
  let place = known.before(from);
  let hash: string | null = null;
  while (place !== null) {
    const segment: SegmentName = place.segment;
    const file = await files.open(segment.path, 'read');
    try {
      const reader: SegmentReader = new SegmentReader(file, dir, segment, { from, until }, known);
      if (await reader.begin(place, hash)) yield* reader.pages();
      if (reader.isDone) return;
      const next = await successor(files, dir, segment);
      if (reader.isFlawed) {
        if (next === null && (await reader.endsTorn())) return;
        // The writer may have finished this very write, and more, between the look at the file and the look at the folder.
        yield* reader.pages();
        if (reader.isFlawed) throw reader.refusal('it does not match its checksum');
      }
      hash = reader.hash;
      place = next && { segment: next, seq: next.firstSeq, offset: SEGMENT_HEADER_BYTES };
    } finally {
      await file.close();
    }
  }
}

class SegmentReader {
  isDone = false;
  isFlawed = false;
  readonly #file: LedgerFile;
  readonly #dir: string;
  readonly #segment: SegmentName;
  readonly #range: { from: number; until: number };
  readonly #marks: Marks;
  #chain: Chain;
  #offset = 0;

  constructor(
    file: LedgerFile,
    dir: string,
    segment: SegmentName,
    range: { from: number; until: number },
    marks: Marks,
  ) {
    this.#file = file;
    this.#dir = dir;
    this.#segment = segment;
    this.#range = range;
    this.#marks = marks;
    this.#chain = new Chain(segment.firstSeq - 1, null);
  }

  get hash(): string | null {
    return this.#chain.hash;
  }

  /** Goes to the place; false when the header is still being written. */
  async begin(place: Mark, hashBefore: string | null): Promise<boolean> {
    this.#offset = place.offset;
    this.#chain = new Chain(place.seq - 1, null);
    if (place.offset > SEGMENT_HEADER_BYTES) return true;
    const { header } = await readHeader(this.#file);
    if (header === null) {
      if (!isTornHeader(await readRest(this.#file, 0))) throw this.refusal('the header of the segment is damaged');
      this.isDone = true;
      return false;
    }
    if (header.firstSeq !== place.seq || (hashBefore !== null && header.previousHash !== hashBefore)) {
      throw this.refusal('the segment does not continue the one before it');
    }
    this.#chain = new Chain(header.firstSeq - 1, header.previousHash);
    return true;
  }

  async *pages(): AsyncGenerator<LedgerRecord> {
    this.isFlawed = false;
    while (!this.isDone) {
      const page: LedgerRecord[] = [];
      const full = await this.#readPage(page);
      yield* page;
      if (!full) return;
    }
  }

  /** Whether what stands behind the last good record is a write that has not finished. */
  async endsTorn(): Promise<boolean> {
    return isTorn(await readRest(this.#file, this.#offset), this.#offset, this.#chain.seq + 1);
  }

  refusal(message: string): GraceError {
    const { seq } = this.#chain;
    return corrupt({ dir: this.#dir, segment: this.#segment.name, offset: this.#offset, seq: seq + 1, message });
  }

  /** Fills a page; false when the segment has no more to give. */
  async #readPage(page: LedgerRecord[]): Promise<boolean> {
    const { from, until } = this.#range;
    let pageBytes = 0;
    const visit: Visit = (bytes, at, recordBytes, offset) => {
      const seq = field.seq(bytes, at);
      const fault = this.#chain.fault(bytes, at, recordBytes, seq >= from);
      if (fault !== null) {
        this.#offset = offset;
        throw this.refusal(fault);
      }
      this.#marks.note(seq, this.#segment, offset);
      if (seq >= from) {
        page.push(recordAt(bytes, at));
        pageBytes += recordBytes;
      }
      this.isDone = seq >= until;
      return !this.isDone && page.length < PAGE_RECORDS && pageBytes < PAGE_BYTES;
    };
    const walk = await walkRecords(this.#file, this.#offset, visit, CHUNK_BYTES);
    this.#offset = walk.end;
    this.isFlawed = walk.flaw !== null;
    return walk.stopped;
  }
}

async function successor(files: FileLayer, dir: string, segment: SegmentName): Promise<SegmentName | null> {
  const { segments } = await listSegments(files, dir);
  return segments.find((other) => other.firstSeq > segment.firstSeq) ?? null;
}

/**
 * Reads a folder without being its writer: takes no lock, and ends before a write that has not finished.
 * @throws GraceError `LEDGER_CORRUPT`; `STORAGE_FAILED` when the folder cannot be read
 */
export async function* readLedger(dir: string, from: number, limit: number): AsyncGenerator<LedgerRecord> {
  try {
    yield* readRecords(diskFiles, dir, { from, limit });
  } catch (error) {
    throw storageError(error, `${dir}: the ledger cannot be read`);
  }
}
