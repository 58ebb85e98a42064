import { setTimeout as pause } from 'node:timers/promises';
import type { Appended } from './append-queue.ts';
import { type Arrangement, arrange, type Placed } from './arrangement.ts';
import { awaitSealing, epochAfter, listSealed } from './epoch/epochs.ts';
import type { Anchor, SealedReport } from './epoch/seal.ts';
import { verifySealed } from './epoch/verify-sealed.ts';
import { storageError } from './failure.ts';
import { diskFiles, type FileLayer, type LedgerFile } from './files.ts';
import { SEGMENT_HEADER_BYTES } from './format.ts';
import { readHeads } from './head.ts';
import { hasWriter } from './lock.ts';
import type { LedgerProblem } from './problems.ts';
import { readHeader, withFile } from './segments.ts';
import { Sequence } from './sequence.ts';
import { isTorn, isTornHeader, nextRecord, readRest } from './tail.ts';
import { walkRecords } from './walk.ts';

export interface Verification {
  /** Nothing is wrong. What was sealed away, and is as it was sealed, is not wrong: it is told in `epochs`. */
  ok: boolean;
  /** Whole records found, in all epochs. */
  records: number;
  /** The newest record: of nothing, seq 0 and a hash of zeros; the hash is empty when that record cannot be read. */
  last: Appended;
  lastHash: string;
  /** At most 1,000. */
  problems: LedgerProblem[];
  /** Sealed epochs. */
  epochs: SealedReport[];
}

export interface VerifyOptions {
  signal?: AbortSignal;
  /** What was noted elsewhere: checkpoints, witnesses, the living writer. The heads that a writer leaves are read besides. */
  anchors?: readonly Anchor[];
  /** Where the writer keeps the head that lies outside the folder. */
  outerHead?: string | undefined;
  /** The caller is the writer, and writes nothing meanwhile: a write that is not finished will not be. */
  isQuiet?: boolean;
}

/** A live writer finishes a write within this, or it is torn. */
const UNFINISHED_TRIES = 100;
const UNFINISHED_PAUSE_MS = 20;
/** Records between two looks at the signal. */
const ABORT_EVERY = 4096;

/**
 * Reads everything and computes every checksum, hash and link again. Goes on behind a flaw, so that all are told. Takes no lock; a write
 * that a live writer has not finished yet is waited for. What a chain alone cannot show, a cut end, an older copy, a history written
 * anew, is found by the heads and by `anchors`.
 * @throws GraceError `STORAGE_FAILED` when the folder cannot be read
 */
export function verifyLedger(dir: string, options: VerifyOptions = {}): Promise<Verification> {
  return verifyLedgerOn(diskFiles, dir, options);
}

/** `verifyLedger` on another file layer. */
export async function verifyLedgerOn(
  files: FileLayer,
  dir: string,
  { signal, anchors = [], outerHead, isQuiet = false }: VerifyOptions = {},
): Promise<Verification> {
  try {
    await awaitSealing(files, dir);
    // Read first: whatever is appended from here on is newer than they are.
    const heads = await readHeads(files, dir, outerHead);
    const sealed = await listSealed(files, dir);
    const { base } = await epochAfter(files, dir, sealed);
    const { reports, problems } = await verifySealed(files, sealed, signal);
    const arrangement = await arrange(files, dir);
    const sequence = new Sequence(base, [...heads, ...anchors], [...problems, ...arrangement.problems]);
    for (const placed of arrangement.segments) {
      await withFile(files, placed.path, (file) =>
        verifySegment(file, placed, arrangement, sequence, isQuiet ? null : dir, signal),
      );
    }
    sequence.end(arrangement.segments.at(-1)?.name ?? '');
    const { lastHash, highestSeq } = sequence;
    const records = sequence.records + reports.reduce((sum, report) => sum + report.records, 0);
    return {
      ok: sequence.problems.length === 0,
      records,
      last: { seq: highestSeq, hash: lastHash },
      lastHash,
      problems: sequence.problems,
      epochs: reports,
    };
  } catch (error) {
    if (signal?.aborted) throw error;
    throw storageError(error, `${dir}: the ledger cannot be read`);
  }
}

async function verifySegment(
  file: LedgerFile,
  placed: Placed,
  { segments }: Arrangement,
  sequence: Sequence,
  dir: string | null,
  signal: AbortSignal | undefined,
): Promise<void> {
  const { name } = placed;
  const isNewest = placed === segments.at(-1);
  const place = (offset: number) => ({ segment: name, offset });
  let tries = isNewest ? UNFINISHED_TRIES : 0;
  const mayFinish = async () => {
    if (tries-- <= 0 || dir === null || !(await hasWriter(dir))) return false;
    await pause(UNFINISHED_PAUSE_MS, undefined, signal ? { signal } : {});
    return true;
  };

  let { header } = placed;
  while (header === null && isNewest && isTornHeader(await readRest(file, 0))) {
    if (!(await mayFinish())) return sequence.report('torn-tail', place(0), 'its header was never finished');
    ({ header } = await readHeader(file));
  }
  if (header === null) sequence.report('header', place(0), 'its header is damaged');
  else {
    const predecessor = header.firstSeq - header.previousRecords;
    const isThere = header.previousRecords > 0 && segments.some(({ firstSeq }) => firstSeq === predecessor);
    sequence.segment(header, isThere, name);
  }

  let offset = SEGMENT_HEADER_BYTES;
  let untilLook = ABORT_EVERY;
  for (;;) {
    const walk = await walkRecords(file, offset, (bytes, at, recordBytes, recordOffset) => {
      if (--untilLook === 0) {
        signal?.throwIfAborted();
        untilLook = ABORT_EVERY;
      }
      sequence.record(bytes, at, recordBytes, name, recordOffset);
      return true;
    });
    if (walk.flaw === null) return;
    offset = walk.end;
    const rest = await readRest(file, offset);
    const seq = sequence.expectedSeq;
    if (isNewest && isTorn(rest, offset, seq)) {
      // It was safe once: then this is no write that never finished, and its end is told as missing.
      if (sequence.isNoted(seq)) return;
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
