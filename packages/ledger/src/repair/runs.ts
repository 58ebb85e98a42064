import type { SeqRange } from '../epoch/seal.ts';
import type { LedgerFile } from '../files.ts';
import { field, recomputeHash, SEGMENT_HEADER_BYTES } from '../format.ts';
import { nextRecord, readRest } from '../tail.ts';
import { walkRecords } from '../walk.ts';

/** Records with nothing wrong in themselves, one behind the other in one file, each linked to the one before it. Hashes are latin1. */
export interface Run extends SeqRange {
  folder: string;
  segment: string;
  /** Byte where `from` begins, where `to` begins, and where it ends. */
  offset: number;
  lastAt: number;
  end: number;
  /** What `from` names as the hash before it; the hash of `to`; what `to` names. */
  before: string;
  hash: string;
  hashBefore: string;
  /** The records that somebody asked about. */
  marks: { seq: number; hash: string; before: string; end: number }[];
}

type Place = Pick<Run, 'folder' | 'segment'>;

/**
 * Adds the runs of one file, from the byte `offset` on, with records behind `after` and up to `upTo`; goes on behind whatever is damaged.
 * Records in `asked` are marked.
 */
export async function collectRuns(
  file: LedgerFile,
  place: Place,
  after: number,
  into: Run[],
  options: { offset?: number; upTo?: number; asked?: ReadonlySet<number> } = {},
): Promise<void> {
  const { offset = SEGMENT_HEADER_BYTES, upTo = Number.POSITIVE_INFINITY, asked } = options;
  let run: Run | null = null;
  let from = offset;
  for (;;) {
    const walk = await walkRecords(file, from, (bytes, at, recordBytes, lastAt) => {
      const seq = field.seq(bytes, at);
      const hash = field.hash(bytes, at);
      const before = field.previousHash(bytes, at);
      if (seq <= after || seq > upTo || recomputeHash(bytes, at, recordBytes) !== hash) {
        run = null;
        return true;
      }
      const end = lastAt + recordBytes;
      if (run && run.to + 1 === seq && run.hash === before && run.end === lastAt) {
        Object.assign(run, { to: seq, lastAt, end, hash, hashBefore: before });
      } else {
        const range = { from: seq, to: seq, offset: lastAt, lastAt, end };
        run = { ...place, ...range, before, hash, hashBefore: before, marks: [] };
        into.push(run);
      }
      if (asked?.has(seq)) run.marks.push({ seq, hash, before, end });
      return true;
    });
    if (walk.flaw === null) return;
    const next = nextRecord(await readRest(file, walk.end), 1);
    if (!next) return;
    from = walk.end + next.at;
  }
}
