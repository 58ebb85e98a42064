import { setTimeout as pause } from 'node:timers/promises';
import { storageError } from './failure.ts';
import { diskFiles, type FileLayer, type LedgerFile } from './files.ts';
import { SEGMENT_HEADER_BYTES } from './format.ts';
import { hasWriter } from './lock.ts';
import { listSegments, readHeader, type SegmentName, withFile } from './segments.ts';
import { type LedgerProblem, Sequence } from './sequence.ts';
import { isTorn, isTornHeader, nextRecord, readRest } from './tail.ts';
import { walkRecords } from './walk.ts';

export interface Verification {
  ok: boolean;
  /** Whole records found. */
  records: number;
  /** Hash of the newest one, hex; of nothing: zeros. */
  lastHash: string;
  /** At most 1,000. */
  problems: LedgerProblem[];
}

/** A live writer finishes a write within this, or it is torn. */
const UNFINISHED_TRIES = 100;
const UNFINISHED_PAUSE_MS = 20;

/**
 * Reads everything and computes every checksum, hash and link again. Goes on behind a flaw, so that all are told. Takes no lock; a write
 * that a live writer has not finished yet is waited for. Records removed from the very end leave no trace that a chain alone could show.
 * @throws GraceError `STORAGE_FAILED` when the folder cannot be read
 */
export function verifyLedger(dir: string, options: { signal?: AbortSignal } = {}): Promise<Verification> {
  return verifyLedgerOn(diskFiles, dir, options);
}

/** `verifyLedger` on another file layer. */
export async function verifyLedgerOn(
  files: FileLayer,
  dir: string,
  { signal }: { signal?: AbortSignal } = {},
): Promise<Verification> {
  const sequence = new Sequence();
  try {
    const { segments, strangers } = await listSegments(files, dir);
    for (const segment of strangers) {
      sequence.report('segment', { segment, offset: 0 }, 'the file ends like a segment and is not named like one');
    }
    for (const [i, segment] of segments.entries()) {
      const isNewest = i === segments.length - 1;
      await withFile(files, segment.path, (file) => verifySegment(file, segment, isNewest, sequence, dir, signal));
    }
  } catch (error) {
    if (signal?.aborted) throw error;
    throw storageError(error, `${dir}: the ledger cannot be read`);
  }
  sequence.end();
  const { problems, records, lastHash } = sequence;
  return { ok: problems.length === 0, records, lastHash, problems };
}

async function verifySegment(
  file: LedgerFile,
  segment: SegmentName,
  isNewest: boolean,
  sequence: Sequence,
  dir: string,
  signal: AbortSignal | undefined,
): Promise<void> {
  const place = (offset: number) => ({ segment: segment.name, offset });
  let tries = isNewest ? UNFINISHED_TRIES : 0;
  const mayFinish = async () => {
    if (tries-- <= 0 || !(await hasWriter(dir))) return false;
    await pause(UNFINISHED_PAUSE_MS, undefined, signal ? { signal } : {});
    return true;
  };

  let { header } = await readHeader(file);
  while (header === null && isNewest && isTornHeader(await readRest(file, 0))) {
    if (!(await mayFinish())) return sequence.report('torn-tail', place(0), 'its header was never finished');
    ({ header } = await readHeader(file));
  }
  if (header === null) sequence.report('header', place(0), 'its header is damaged');
  else {
    if (header.firstSeq !== segment.firstSeq) {
      sequence.report(
        'segment',
        place(0),
        `its header belongs to the segment that begins with record ${header.firstSeq}`,
      );
    }
    sequence.segment(header.firstSeq, header.previousHash, place(0));
  }

  let offset = SEGMENT_HEADER_BYTES;
  for (;;) {
    const walk = await walkRecords(file, offset, (bytes, at, recordBytes, recordOffset) => {
      signal?.throwIfAborted();
      sequence.record(bytes, at, recordBytes, place(recordOffset));
      return true;
    });
    if (walk.flaw === null) return;
    offset = walk.end;
    const rest = await readRest(file, offset);
    const seq = sequence.expectedSeq;
    if (isNewest && isTorn(rest, offset, seq)) {
      if (await mayFinish()) continue;
      return sequence.report('torn-tail', place(offset), `${rest.length} bytes of a write that never finished`, seq);
    }
    const next = nextRecord(rest, 1);
    const upTo = next ? next.seq - 1 : seq;
    sequence.report('checksum', place(offset), describe(seq, upTo, next?.at ?? rest.length), seq);
    sequence.passOver(upTo);
    if (!next) return;
    offset += next.at;
  }
}

function describe(from: number, to: number, bytes: number): string {
  if (to < from) return `${bytes} bytes here belong to no record`;
  const which = to === from ? `record ${from} is` : `records ${from} to ${to} are`;
  return `${which} not as written (${bytes} bytes)`;
}
