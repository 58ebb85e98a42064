import { join } from 'node:path';
import type { Appended } from '../append-queue.ts';
import { Chain } from '../chain.ts';
import { type FileLayer, type LedgerFile, writeAll } from '../files.ts';
import { encodeHeader, SEGMENT_HEADER_BYTES } from '../format.ts';
import { listSegments, readHeader, type SegmentName, withFile } from '../segments.ts';
import { walkRecords } from '../walk.ts';

export interface MirrorState {
  folder: string;
  /** The newest record that it has, durably. */
  seq: number;
  /** Why it does not go on; null while it does. */
  stalled: string | null;
}

/** A round waits this long for more to copy. */
const ROUND_AFTER_MS = 25;
const ROUND_BYTES_MAX = 4 * 1024 ** 2;

/**
 * A second copy of the segments in another folder, a little behind. It copies what is durable, and only what fits the checksum and the
 * link to the record before: damage is not copied, it stops the mirror until the ledger is repaired. What it has to catch up on stands in
 * the ledger, so nothing waits in memory.
 */
export class Mirror {
  readonly #files: FileLayer;
  readonly #dir: string;
  readonly #folder: string;
  #durable: Appended | null = null;
  #chain: Chain | null = null;
  #place: { segment: SegmentName; offset: number } | null = null;
  #stalled: string | null = null;
  #timer: NodeJS.Timeout | undefined;
  #round: Promise<void> | null = null;
  #paused = true;

  constructor(files: FileLayer, dir: string, folder: string) {
    this.#files = files;
    this.#dir = dir;
    this.#folder = folder;
  }

  get state(): MirrorState {
    return { folder: this.#folder, seq: this.#chain?.seq ?? 0, stalled: this.#stalled };
  }

  /** Takes up where the copy ends. */
  resume(durable: Appended): void {
    this.#paused = false;
    this.#stalled = null;
    this.#place = null;
    this.#chain = null;
    this.note(durable);
  }

  /** Resolves when nothing is copied any more. */
  async pause(): Promise<void> {
    this.#paused = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#round;
  }

  /** Copies what is still missing, and ends. */
  async close(): Promise<void> {
    const wasPaused = this.#paused;
    await this.pause();
    if (!wasPaused && this.#stalled === null) await this.#copyAll();
  }

  note(durable: Appended): void {
    this.#durable = durable;
    if (this.#paused || this.#stalled !== null) return;
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#round ??= this.#copyAll().finally(() => {
        this.#round = null;
        if (this.#durable && this.#durable.seq > (this.#chain?.seq ?? 0)) this.note(this.#durable);
      });
    }, ROUND_AFTER_MS).unref();
  }

  async #copyAll(): Promise<void> {
    try {
      await this.#files.makeFolder(this.#folder);
      this.#place ??= await this.#begin();
      while (this.#durable && this.#place && (this.#chain?.seq ?? 0) < this.#durable.seq) {
        if (!(await this.#copySome(this.#place, this.#durable.seq))) break;
      }
    } catch (error) {
      this.#stalled = error instanceof Error ? error.message : String(error);
    }
  }

  /** The first place that the copy does not have. A copy that ends inside of a record, or elsewhere, is made again from that segment on. */
  async #begin(): Promise<{ segment: SegmentName; offset: number } | null> {
    const { segments } = await listSegments(this.#files, this.#dir);
    const copies = new Map((await listSegments(this.#files, this.#folder)).segments.map((one) => [one.name, one]));
    for (const [i, segment] of segments.entries()) {
      const copy = copies.get(segment.name);
      const here = await this.#files.look(segment.path);
      const there = copy ? await this.#files.look(copy.path) : null;
      const isLast = i === segments.length - 1;
      if (!isLast && here && here.bytes === there?.bytes) continue;
      const kept = copy && (await withFile(this.#files, copy.path, goodPart));
      this.#chain = kept?.chain ?? (await this.#chainBefore(segment));
      return { segment, offset: kept?.end ?? 0 };
    }
    return null;
  }

  async #chainBefore(segment: SegmentName): Promise<Chain> {
    const { header } = await withFile(this.#files, segment.path, readHeader);
    if (header === null) throw new Error(`${segment.name}: its header is damaged`);
    return new Chain(header.firstSeq - 1, header.previousHash);
  }

  /** Copies from one segment; false when there is nothing more to copy now. */
  async #copySome({ segment, offset }: { segment: SegmentName; offset: number }, upTo: number): Promise<boolean> {
    const chain = this.#chain!;
    const pieces: Buffer[] = [];
    let bytes = 0;
    const { end, isAtEnd } = await withFile(this.#files, segment.path, async (file) => {
      if (offset === 0) pieces.push(await this.#headerOf(file, segment));
      const walk = await walkRecords(
        file,
        Math.max(offset, SEGMENT_HEADER_BYTES),
        (buffer, at, recordBytes, recordAt) => {
          if (chain.seq >= upTo) return false;
          const fault = chain.fault(buffer, at, recordBytes, false);
          if (fault !== null) throw new Error(`${segment.name}, byte ${recordAt}: ${fault}`);
          pieces.push(Buffer.from(buffer.subarray(at, at + recordBytes)));
          bytes += recordBytes;
          return bytes < ROUND_BYTES_MAX && chain.seq < upTo;
        },
      );
      if (walk.flaw !== null && chain.seq < upTo && (await this.#successor(segment)) !== null) {
        throw new Error(`${segment.name}, byte ${walk.end}: it does not match its checksum`);
      }
      return { end: Math.max(offset, SEGMENT_HEADER_BYTES) + bytes, isAtEnd: !walk.stopped };
    });
    await this.#append(segment.name, offset, Buffer.concat(pieces));
    this.#place = { segment, offset: end };
    if (!isAtEnd || chain.seq >= upTo) return bytes > 0;
    const next = await this.#successor(segment);
    if (next) this.#place = { segment: next, offset: 0 };
    else if (bytes === 0) throw new Error(`${segment.name}, byte ${end}: record ${chain.seq + 1} cannot be read`);
    return true;
  }

  async #headerOf(file: LedgerFile, segment: SegmentName): Promise<Buffer> {
    const { header } = await readHeader(file);
    const { seq, hash } = this.#chain!;
    if (header?.firstSeq !== seq + 1 || header.previousHash !== hash) {
      throw new Error(`${segment.name}: it does not continue record ${seq}`);
    }
    return encodeHeader(header);
  }

  async #successor(segment: SegmentName): Promise<SegmentName | null> {
    const { segments } = await listSegments(this.#files, this.#dir);
    return segments.find(({ firstSeq }) => firstSeq > segment.firstSeq) ?? null;
  }

  async #append(name: string, offset: number, bytes: Buffer): Promise<void> {
    if (bytes.length === 0) return;
    const file = await this.#files.open(join(this.#folder, name), offset === 0 ? 'create' : 'write');
    try {
      await file.truncate(offset);
      await writeAll(file, bytes, offset);
      await file.sync();
    } finally {
      await file.close();
    }
    if (offset === 0) await this.#files.syncFolder(this.#folder);
  }
}

/** How far a copy can be trusted; null when not even its header is whole. */
async function goodPart(file: LedgerFile): Promise<{ chain: Chain; end: number } | null> {
  const { header } = await readHeader(file);
  if (header === null) return null;
  const chain = new Chain(header.firstSeq - 1, header.previousHash);
  let end = SEGMENT_HEADER_BYTES;
  await walkRecords(file, SEGMENT_HEADER_BYTES, (bytes, at, recordBytes, offset) => {
    if (chain.fault(bytes, at, recordBytes, false) !== null) return false;
    end = offset + recordBytes;
    return true;
  });
  return { chain, end };
}
