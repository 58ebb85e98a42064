import { Chain } from './chain.ts';
import type { FileLayer, FileLook } from './files.ts';
import { field, GENESIS_HASH, SEGMENT_HEADER_BYTES } from './format.ts';
import type { LedgerProblem } from './problems.ts';
import type { SegmentWriter } from './segment-writer.ts';
import { listSegments, readHeader, type SegmentName, segmentName, withFile } from './segments.ts';
import { walkRecords } from './walk.ts';

/**
 * The writer's own cheap look at its files, for every second or so. Sizes, inodes and times of change tell which segments somebody has
 * touched; those are read again, checksums and links, and so is the newest one whenever anything was written. It finds out that something
 * is wrong and where; what it is, `verifyLedger` tells. It cannot see a record whose hash and whose successors' links were computed anew
 * without a change of the file's time, and nothing that was wrong before the first look at a file that is older than the writer.
 */
export class Lookout {
  readonly #files: FileLayer;
  readonly #dir: string;
  readonly #writer: SegmentWriter;
  readonly #seen = new Map<string, FileLook>();

  constructor(files: FileLayer, dir: string, writer: SegmentWriter) {
    this.#files = files;
    this.#dir = dir;
    this.#writer = writer;
  }

  /** After a repair everything is new. */
  forget(): void {
    this.#seen.clear();
  }

  async look(): Promise<LedgerProblem[]> {
    const { segments, strangers } = await listSegments(this.#files, this.#dir);
    const own = [...this.#writer.marks.segments];
    const newest = this.#writer.place?.segment;
    const problems = strangers.map((name) => problem('segment', name, 'it is called a segment, and is none'));
    const known = new Set([...own.map(({ name }) => name), segmentName(this.#writer.last.seq + 1)]);
    for (const { name } of segments) {
      if (!known.has(name))
        problems.push(problem('segment', name, 'it is none of the segments that were written here'));
    }
    for (const [i, segment] of own.entries()) {
      if (segment.name === newest?.name) problems.push(...(await this.#lookAtNewest(segment)));
      else problems.push(...(await this.#lookAtOlder(segment, own[i + 1]?.firstSeq)));
    }
    return problems;
  }

  async #lookAtOlder(segment: SegmentName, next: number | undefined): Promise<LedgerProblem[]> {
    const { name, path } = segment;
    const look = await this.#files.look(path);
    if (look === null) return [problem('missing-segment', name, 'it is gone', segment.firstSeq)];
    const seen = this.#seen.get(name);
    if (seen && isSame(seen, look)) return [];
    const found = seen ? await this.#read(segment, look.bytes, next === undefined ? null : next - 1) : [];
    if (found.length === 0) this.#seen.set(name, look);
    return found;
  }

  async #lookAtNewest(segment: SegmentName): Promise<LedgerProblem[]> {
    const place = this.#writer.place;
    if (place?.segment.name !== segment.name) return [];
    const { length, file } = place;
    const { seq } = this.#writer.last;
    const { name, path, firstSeq } = segment;
    const look = await this.#files.look(path);
    if (look === null) return [problem('missing-segment', name, 'it is gone', firstSeq)];
    if (look.identity !== (await file.identity())) {
      return [
        problem('rolled-back', name, 'another file has taken the place of the one that is being written', firstSeq),
      ];
    }
    if (look.bytes < length) {
      const found = await this.#read(segment, look.bytes, seq);
      const missing = `${length - look.bytes} bytes are missing at its end`;
      return found.length > 0 ? found : [problem('cut-end', name, missing, seq)];
    }
    const seen = this.#seen.get(name);
    if (seen && isSame(seen, look)) return [];
    const found = await this.#read(segment, length, seq);
    const behind = found.length > 0 ? null : await this.#bytesBehind(segment);
    if (behind) found.push(behind);
    if (found.length === 0) this.#seen.set(name, look);
    return found;
  }

  /** Bytes behind the end that no write under way accounts for. */
  async #bytesBehind({ name, path }: SegmentName): Promise<LedgerProblem | null> {
    // Twice: a failed write may have been cut off between the look and the comparison.
    for (let tries = 2; ; tries--) {
      const look = await this.#files.look(path);
      const place = this.#writer.place;
      if (place?.segment.name !== name || look === null || look.bytes <= place.reach) return null;
      if (tries === 1)
        return {
          ...problem('torn-tail', name, `${look.bytes - place.reach} bytes that nobody wrote`),
          offset: place.reach,
        };
    }
  }

  /** Reads a segment up to the byte `length`, which is the end of record `lastSeq`. */
  #read(segment: SegmentName, length: number, lastSeq: number | null): Promise<LedgerProblem[]> {
    const { name, path, firstSeq } = segment;
    return withFile(this.#files, path, async (file) => {
      const { header } = await readHeader(file);
      if (header?.firstSeq !== firstSeq) return [problem('header', name, 'its header is not the one that was written')];
      const chain = new Chain(firstSeq - 1, header.previousHash);
      let fault: Pick<LedgerProblem, 'kind' | 'offset' | 'message'> | null = null;
      const walk = await walkRecords(file, SEGMENT_HEADER_BYTES, (bytes, at, recordBytes, offset) => {
        if (offset >= length) return false;
        const message = chain.fault(bytes, at, recordBytes, false);
        if (message !== null) fault = { kind: kindOf(field.seq(bytes, at), chain.seq + 1), offset, message };
        return message === null && offset + recordBytes < length;
      });
      const broken = fault as Pick<LedgerProblem, 'kind' | 'offset' | 'message'> | null;
      if (broken) return [{ ...broken, segment: name, seq: chain.seq + 1 }];
      if (walk.end < length) {
        return [
          { ...problem('checksum', name, 'bytes are not those that were written', chain.seq + 1), offset: walk.end },
        ];
      }
      const { last } = this.#writer;
      if (lastSeq !== null && chain.seq < lastSeq)
        return [problem('gap', name, `it ends with record ${chain.seq}`, chain.seq + 1)];
      if (chain.seq === last.seq && last.hash !== GENESIS_HASH && chain.hash !== last.hash) {
        return [problem('rewritten', name, `record ${last.seq} is not the one that was written`, last.seq)];
      }
      return [];
    });
  }
}

const kindOf = (found: number, expected: number): LedgerProblem['kind'] =>
  found > expected ? 'gap' : found < expected ? 'order' : 'link';

const isSame = (a: FileLook, b: FileLook): boolean =>
  a.bytes === b.bytes && a.identity === b.identity && a.changedMs === b.changedMs;

const problem = (kind: LedgerProblem['kind'], segment: string, message: string, seq?: number): LedgerProblem => ({
  ...{ kind, segment, offset: 0, message },
  ...(seq === undefined ? {} : { seq }),
});
