import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { GraceError } from '@grace/contracts';
import type { Appended } from '../append-queue.ts';
import { diskFiles, type FileLayer, readSmall } from '../files.ts';
import { GENESIS_HASH } from '../format.ts';
import { hasWriter } from '../lock.ts';
import { Marks } from '../marks.ts';
import { listSegments, readHeader, withFile } from '../segments.ts';
import { decodeSeal, hashOfSeal, type Seal, type SeqRange } from './seal.ts';

/**
 * A ledger is a row of epochs. All but the last are sealed: each lies, as it was found, in a folder of its own below `sealed/`. An
 * undamaged ledger has one epoch and no such folder.
 */
export const SEALED_FOLDER = 'sealed';
/** The seal while its files are being moved. Whoever opens the folder next goes on with it. */
export const SEALING_FILE = 'sealing.json';
export const SEAL_FILE = 'seal.json';

export const epochFolder = (dir: string, epoch: number): string => join(dir, SEALED_FOLDER, `epoch-${epoch}`);

export interface Epoch {
  /** 1 for a ledger that was never sealed. */
  number: number;
  /** What its first record continues: seq 0 and a hash of zeros, or the last seq of the epoch before and the hash of its seal. */
  base: Appended;
}

export interface SealedEpoch {
  number: number;
  dir: string;
  /** Null when the seal cannot be read. */
  seal: Seal | null;
  /** SHA-256 of the bytes of the seal, hex. */
  sealHash: string;
  /** Where records of its kept runs begin, as far as reads have found out. */
  marks: Marks;
}

const SEAL_BYTES_MAX = 256 * 1024 ** 2;
const NAME = /^epoch-([1-9]\d{0,8})$/;
/** How long a reader waits for a seal that is being made beside it. */
const SEALING_TRIES = 250;
const SEALING_PAUSE_MS = 20;

/** Sealed epochs in order. */
export async function listSealed(files: FileLayer, dir: string): Promise<SealedEpoch[]> {
  const root = join(dir, SEALED_FOLDER);
  if ((await files.look(root)) === null) return [];
  const numbers = (await files.list(root)).flatMap((name) => NAME.exec(name)?.[1] ?? []).map(Number);
  const sealed: SealedEpoch[] = [];
  for (const number of numbers.sort((a, b) => a - b)) {
    const folder = epochFolder(dir, number);
    const bytes = await readSmall(files, join(folder, SEAL_FILE), SEAL_BYTES_MAX);
    // A folder without a seal is one that is being filled.
    if (bytes === null && (await files.look(join(dir, SEALING_FILE))) !== null) continue;
    const seal = bytes && sealOf(bytes);
    const sealHash = hashOfSeal(bytes ?? Buffer.alloc(0));
    sealed.push({ number, dir: folder, seal, sealHash, marks: new Marks([]) });
  }
  return sealed;
}

function sealOf(bytes: Buffer): Seal | null {
  try {
    return decodeSeal(bytes);
  } catch {
    return null;
  }
}

/**
 * The epoch that is written now, given the sealed ones. Where the newest seal cannot be read any more, the first segment says what it
 * continues; that the seal is spoilt is told by `verifyLedger`.
 */
export async function epochAfter(files: FileLayer, dir: string, sealed: readonly SealedEpoch[]): Promise<Epoch> {
  const newest = sealed.at(-1);
  if (!newest) return { number: 1, base: { seq: 0, hash: GENESIS_HASH } };
  const number = newest.number + 1;
  if (newest.seal) return { number, base: { seq: newest.seal.next - 1, hash: newest.sealHash } };
  const [first] = (await listSegments(files, dir)).segments;
  const header = first && (await withFile(files, first.path, readHeader)).header;
  if (header) return { number, base: { seq: header.firstSeq - 1, hash: header.previousHash } };
  throw new GraceError(
    'LEDGER_CORRUPT',
    `${newest.dir}: the seal of epoch ${newest.number} cannot be read, and no segment says what came after it`,
    { dir, epoch: newest.number },
  );
}

/** The epoch that is written now in a folder. */
export async function readEpoch(dir: string): Promise<Epoch> {
  await awaitSealing(diskFiles, dir);
  return epochAfter(diskFiles, dir, await listSealed(diskFiles, dir));
}

/** Waits, within bounds, while a living writer is sealing: until it has ended, files are on their way. */
export async function awaitSealing(files: FileLayer, dir: string): Promise<void> {
  for (let tries = SEALING_TRIES; tries > 0; tries--) {
    if ((await files.look(join(dir, SEALING_FILE))) === null || !(await hasWriter(dir))) return;
    await pause(SEALING_PAUSE_MS);
  }
}

/** Records of sealed epochs that no reader gets: those that are lost, and those that are not trusted. */
export function missingOf(sealed: readonly SealedEpoch[]): SeqRange[] {
  return sealed.flatMap(({ seal }) => (seal ? [...seal.lost, ...seal.disputed] : [])).sort((a, b) => a.from - b.from);
}
