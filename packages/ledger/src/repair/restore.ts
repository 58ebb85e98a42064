import { join } from 'node:path';
import type { Appended } from '../append-queue.ts';
import { type FileLayer, type LedgerFile, writeAll, writeSmall } from '../files.ts';
import { encodeHeader, SEGMENT_HEADER_BYTES, toHex } from '../format.ts';
import { HEAD_FILE } from '../head.ts';
import type { LedgerProblem } from '../problems.ts';
import { readHeader, segmentName, withFile } from '../segments.ts';
import { walkRecords } from '../walk.ts';
import { collectRuns, type Run } from './runs.ts';

export const RESTORING = '.restoring';
export const DAMAGED_FOLDER = 'damaged';
/** What is being restored, until the entry about it is written. */
export const RESTORATION_FILE = 'restoration.json';

const PROBLEMS_TOLD = 20;

export interface Restored {
  /** Segments that were made again. */
  segments: string[];
  /** Where the files lie that were replaced, below the ledger's folder. */
  evidence: string;
}

/**
 * Makes the segments again that are not what they were, record by record, from wherever each record is whole; `runs` hold every record
 * from the base on. What is replaced is kept beside them. A crash on the way leaves either file where the next repair finds it.
 */
export async function restoreSegments(
  files: FileLayer,
  dir: string,
  base: Appended,
  runs: readonly Run[],
  mirror: string | null,
  problems: readonly LedgerProblem[],
): Promise<Restored> {
  const starts = await startsOf(files, dir, mirror, base.seq + 1, runs.at(-1)!.to);
  const evidence = join(DAMAGED_FOLDER, `${Date.now()}`);
  const made: string[] = [];
  for (const [i, from] of starts.entries()) {
    const to = (starts[i + 1] ?? runs.at(-1)!.to + 1) - 1;
    const name = segmentName(from);
    if (await isIntact(files, dir, name, { from, to }, runs)) continue;
    const previousHash = await hashBefore(files, from, base, runs);
    const header = {
      firstSeq: from,
      createdMs: Date.now(),
      previousHash,
      previousRecords: i > 0 ? from - starts[i - 1]! : 0,
    };
    await makeSegment(files, join(dir, `${name}${RESTORING}`), encodeHeader(header), { from, to }, runs);
    made.push(name);
  }
  const wanted = new Set(starts.map(segmentName));
  const stray = (await files.list(dir)).filter((name) => name.endsWith('.segment') && !wanted.has(name));
  await files.makeFolder(join(dir, evidence));
  const told = { segments: made, evidence, problems: problems.slice(0, PROBLEMS_TOLD) };
  await writeSmall(files, join(dir, RESTORATION_FILE), JSON.stringify(told));
  await files.syncFolder(dir);
  for (const name of [...made, ...stray]) {
    if ((await files.look(join(dir, name))) !== null) await files.rename(join(dir, name), join(dir, evidence, name));
    if (made.includes(name)) await files.rename(join(dir, `${name}${RESTORING}`), join(dir, name));
  }
  // It may have been forged together with the rest; the writer notes its end anew.
  if ((await files.look(join(dir, HEAD_FILE))) !== null) {
    await files.rename(join(dir, HEAD_FILE), join(dir, evidence, HEAD_FILE));
  }
  await files.syncFolder(join(dir, evidence));
  await files.syncFolder(join(dir, DAMAGED_FOLDER));
  await files.syncFolder(dir);
  return { segments: made, evidence };
}

/** Where segments begin: as the headers say that can be read, here or in the mirror. */
async function startsOf(
  files: FileLayer,
  dir: string,
  mirror: string | null,
  first: number,
  last: number,
): Promise<number[]> {
  const starts = new Set([first]);
  // The mirror follows the first record; until then it does not exist.
  const isMirrored = mirror !== null && (await files.look(mirror)) !== null;
  for (const folder of isMirrored ? [dir, mirror] : [dir]) {
    for (const name of (await files.list(folder)).filter((one) => one.endsWith('.segment'))) {
      const { header } = await withFile(files, join(folder, name), readHeader);
      if (header && header.firstSeq > first && header.firstSeq <= last) starts.add(header.firstSeq);
    }
  }
  return [...starts].sort((a, b) => a - b);
}

async function isIntact(
  files: FileLayer,
  dir: string,
  name: string,
  range: { from: number; to: number },
  runs: readonly Run[],
): Promise<boolean> {
  const path = join(dir, name);
  const look = await files.look(path);
  if (look === null) return false;
  const before = runs.find((run) => run.to === range.from - 1);
  return withFile(files, path, async (file) => {
    const { header } = await readHeader(file);
    if (header?.firstSeq !== range.from) return false;
    const own: Run[] = [];
    await collectRuns(file, { folder: dir, segment: name }, range.from - 1, own);
    const [run] = own;
    if (own.length !== 1 || run!.offset !== SEGMENT_HEADER_BYTES || run!.end !== look.bytes) return false;
    const isLinked =
      before === undefined || (before.hash === run!.before && toHex(before.hash) === header.previousHash);
    const after = runs.find((next) => next.from <= range.to && next.to >= range.to);
    return isLinked && run!.to === range.to && (after?.to !== range.to || after.hash === run!.hash);
  });
}

async function hashBefore(files: FileLayer, from: number, base: Appended, runs: readonly Run[]): Promise<string> {
  if (from === base.seq + 1) return base.hash;
  const run = runs.find((one) => one.from <= from && from <= one.to)!;
  if (run.from === from) return toHex(run.before);
  const parts: Run[] = [];
  await withFile(files, join(run.folder, run.segment), (file) =>
    collectRuns(file, run, from - 1, parts, { offset: run.offset }),
  );
  return toHex(parts[0]!.before);
}

async function makeSegment(
  files: FileLayer,
  path: string,
  header: Buffer,
  range: { from: number; to: number },
  runs: readonly Run[],
): Promise<void> {
  const target = await files.open(path, 'create');
  try {
    await writeAll(target, header, 0);
    let at = header.length;
    for (const run of runs.filter(({ from, to }) => to >= range.from && from <= range.to)) {
      const part = { from: Math.max(run.from, range.from), to: Math.min(run.to, range.to) };
      at = await withFile(files, join(run.folder, run.segment), (file) => copyRecords(file, run, part, target, at));
    }
    await target.sync();
  } finally {
    await target.close();
  }
}

async function copyRecords(
  source: LedgerFile,
  run: Run,
  { from, to }: { from: number; to: number },
  target: LedgerFile,
  position: number,
): Promise<number> {
  let seq = run.from - 1;
  let at = position;
  for (let offset = run.offset; seq < to; ) {
    const pieces: Buffer[] = [];
    let bytes = 0;
    const walk = await walkRecords(source, offset, (buffer, start, recordBytes) => {
      seq++;
      if (seq >= from) pieces.push(Buffer.from(buffer.subarray(start, start + recordBytes)));
      bytes += recordBytes;
      return seq < to && bytes < 1024 ** 2;
    });
    offset = walk.end;
    const piece = Buffer.concat(pieces);
    await writeAll(target, piece, at);
    at += piece.length;
    if (!walk.stopped) break;
  }
  return at;
}
