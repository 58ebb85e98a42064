import type { GraceError } from '@grace/contracts';
import type { Appended } from './append-queue.ts';
import { Chain } from './chain.ts';
import type { Anchor } from './epoch/seal.ts';
import { corrupt } from './failure.ts';
import { type FileLayer, type LedgerFile, readFully } from './files.ts';
import { field, RECORD_OVERHEAD_BYTES, type RecordKind, SEGMENT_HEADER_BYTES, type SegmentHeader } from './format.ts';
import { Marks } from './marks.ts';
import { listSegments, readHeader, type SegmentName, withFile } from './segments.ts';
import { isTorn, isTornHeader, readRest } from './tail.ts';
import { walkRecords } from './walk.ts';

/** What a folder holds when a writer opens it. */
export interface Standing {
  last: { seq: number; hash: string };
  /** The newest segment, its good length and its age; null when there is none. */
  tail: { segment: SegmentName; length: number; createdMs: number } | null;
  /** A write that never finished, at the end of the newest segment. From byte 0: not even its header is whole. */
  torn: { segment: SegmentName; offset: number; bytes: number } | null;
  /** The newest record, if the newest segment has one. */
  newest: { kind: RecordKind; payload: Uint8Array } | null;
  marks: Marks;
}

type Refusal = (offset: number, message: string, seq?: number) => GraceError;

/**
 * Reads what a writer must know before it may go on: every header, the border between each two segments, and each record of the newest
 * segment (checksum, seq, link; the hash of its last record is computed again, for that is what the next one links to), and that its end
 * is where the heads know it to be. Older records are `verifyLedger`'s: a start must not take longer because the ledger is older.
 * @throws GraceError `LEDGER_CORRUPT`
 */
export async function inspectFolder(
  files: FileLayer,
  dir: string,
  base: Appended,
  anchors: readonly Anchor[],
): Promise<Standing> {
  const standing = await inspectSegments(files, dir, base, new Map(anchors.map(({ seq, hash }) => [seq, hash])));
  const ahead = anchors.find(({ seq }) => seq > standing.last.seq);
  if (ahead) {
    const message = `its end is missing: the ${ahead.source} knows of record ${ahead.seq}`;
    const segment = standing.tail?.segment.name ?? '';
    throw corrupt({ dir, segment, offset: standing.tail?.length ?? 0, seq: standing.last.seq + 1, message });
  }
  return standing;
}

async function inspectSegments(
  files: FileLayer,
  dir: string,
  base: Appended,
  noted: ReadonlyMap<number, string>,
): Promise<Standing> {
  const { segments, strangers } = await listSegments(files, dir);
  for (const segment of strangers)
    throw corrupt({ dir, segment, offset: 0, message: 'it is not named like a segment' });
  const newest = segments.at(-1);
  if (!newest) return { last: base, tail: null, torn: null, newest: null, marks: new Marks([]) };
  if (segments[0]!.firstSeq !== base.seq + 1) {
    const { name, firstSeq } = segments[0]!;
    const message = `it begins with record ${firstSeq}, not with record ${base.seq + 1}: a segment is missing`;
    throw corrupt({ dir, segment: name, offset: 0, seq: base.seq + 1, message });
  }

  let before = base.hash;
  for (const segment of segments.slice(0, -1)) {
    before = await withFile(files, segment.path, async (file) => {
      await expectHeader(file, segment, before, refusalOf(dir, segment));
      return closingHash(file);
    });
  }
  const marks = new Marks(segments);
  return withFile(files, newest.path, async (file) => {
    const rest = await readHeader(file).then(({ header }) => (header ? null : readRest(file, 0)));
    if (rest && isTornHeader(rest)) {
      const last = { seq: newest.firstSeq - 1, hash: before };
      const torn = { segment: newest, offset: 0, bytes: rest.length };
      return { last, tail: null, torn, newest: null, marks: new Marks(segments.slice(0, -1)) };
    }
    const refuse = refusalOf(dir, newest);
    const header = await expectHeader(file, newest, before, refuse);
    return { ...(await walkNewest(file, header, newest, marks, noted, refuse)), marks };
  });
}

async function expectHeader(
  file: LedgerFile,
  segment: SegmentName,
  before: string,
  refuse: Refusal,
): Promise<SegmentHeader> {
  const { header } = await readHeader(file);
  if (header === null) throw refuse(0, 'its header is damaged');
  if (header.firstSeq !== segment.firstSeq) throw refuse(0, `its header belongs to record ${header.firstSeq}`);
  if (header.previousHash !== before) {
    throw refuse(
      0,
      'it does not continue the segment before it: a segment is missing, cut or exchanged',
      header.firstSeq,
    );
  }
  return header;
}

/** A segment ends with the hash of its last record, which the next header must name. */
async function closingHash(file: LedgerFile): Promise<string> {
  const size = await file.size();
  if (size < SEGMENT_HEADER_BYTES + RECORD_OVERHEAD_BYTES) return '';
  const hash = Buffer.alloc(32);
  await readFully(file, hash, size - hash.length);
  return hash.toString('hex');
}

async function walkNewest(
  file: LedgerFile,
  header: SegmentHeader,
  segment: SegmentName,
  marks: Marks,
  noted: ReadonlyMap<number, string>,
  refuse: Refusal,
): Promise<Omit<Standing, 'marks'>> {
  const chain = new Chain(header.firstSeq - 1, header.previousHash);
  let lastAt = SEGMENT_HEADER_BYTES;
  const walk = await walkRecords(file, SEGMENT_HEADER_BYTES, (bytes, at, recordBytes, offset) => {
    const fault = chain.fault(bytes, at, recordBytes, false);
    if (fault !== null) throw refuse(offset, fault, chain.seq + 1);
    if (noted.size > 0 && noted.has(chain.seq) && noted.get(chain.seq) !== chain.hash) {
      throw refuse(offset, `record ${chain.seq} is not the one that was noted: history was written anew`, chain.seq);
    }
    marks.note(field.seq(bytes, at), segment, offset);
    lastAt = offset;
    return true;
  });
  let newest: Standing['newest'] = null;
  await walkRecords(file, lastAt, (bytes, at, recordBytes, offset) => {
    const fault = new Chain(chain.seq - 1, null).fault(bytes, at, recordBytes, true);
    if (fault !== null) throw refuse(offset, fault, chain.seq);
    newest = { kind: field.kind(bytes, at)!, payload: field.payload(bytes, at) };
    return false;
  });
  const last = { seq: chain.seq, hash: chain.hash! };
  const tail = { segment, length: walk.end, createdMs: header.createdMs };
  if (walk.flaw === null) return { last, tail, torn: null, newest };
  const rest = await readRest(file, walk.end);
  if (!isTorn(rest, walk.end, chain.seq + 1)) {
    throw refuse(walk.end, 'it does not match its checksum, and it is no write that was cut short', chain.seq + 1);
  }
  return { last, tail, torn: { segment, offset: walk.end, bytes: rest.length }, newest };
}

function refusalOf(dir: string, segment: SegmentName): Refusal {
  return (offset, message, seq) =>
    corrupt({ dir, segment: segment.name, offset, message, ...(seq === undefined ? {} : { seq }) });
}
