import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { storageError } from '../failure.ts';
import { HASH_BYTES } from './merkle.ts';
import { decode, invalid, openNote, type Verifier } from './note.ts';

/** The head of a tree: https://c2sp.org/tlog-checkpoint */
export interface TreeHead {
  /** Which log. */
  origin: string;
  size: number;
  root: Buffer;
}

export interface Checkpoint extends TreeHead {
  /** The signed note, as it is on disk. */
  note: string;
  /** Of witnesses that are known here. */
  cosignatures: { name: string; atMs: number }[];
}

export const CHECKPOINT_FILE = 'checkpoint';

/** The text that is signed. */
export function headText({ origin, size, root }: TreeHead): string {
  return `${origin}\n${size}\n${root.toString('base64')}\n`;
}

/** @throws GraceError `PROOF_INVALID` */
export function parseHead(text: string): TreeHead {
  const [origin, size = '', root = '', ...extensions] = text.split('\n');
  const hash = decode(root);
  const isWhole = extensions.at(-1) === '' && extensions.slice(0, -1).every((line) => line !== '');
  if (!origin || !/^(0|[1-9]\d*)$/.test(size) || !Number.isSafeInteger(Number(size)) || !isWhole) {
    throw invalid('the note is no checkpoint: expected origin, size and root, one in a line');
  }
  if (hash?.length !== HASH_BYTES) throw invalid('the root in the checkpoint is no hash');
  return { origin, size: Number(size), root: hash };
}

/**
 * The checkpoint, signed by one of the `logs` whose name is its origin; `witnesses` are looked for among the other signatures.
 * @throws GraceError `PROOF_INVALID`
 */
export function openCheckpoint(
  note: string,
  logs: readonly Verifier[],
  witnesses: readonly Verifier[] = [],
): Checkpoint {
  const { text, signatures } = openNote(note, [...logs, ...witnesses]);
  const head = parseHead(text);
  if (!signatures.some(({ name, atMs }) => name === head.origin && atMs === null)) {
    throw invalid(`the checkpoint of "${head.origin}" is not signed by that log`);
  }
  const cosignatures = signatures.flatMap(({ name, atMs }) => (atMs === null ? [] : [{ name, atMs }]));
  return { ...head, note, cosignatures };
}

/**
 * The checkpoint of a log's folder; null when there is none.
 * @throws GraceError `PROOF_INVALID`, `STORAGE_FAILED`
 */
export async function readCheckpoint(
  dir: string,
  logs: readonly Verifier[],
  witnesses: readonly Verifier[] = [],
): Promise<Checkpoint | null> {
  const note = await readText(join(dir, CHECKPOINT_FILE));
  return note === null ? null : openCheckpoint(note, logs, witnesses);
}

/** The text of a small file; null when it is not there. */
export async function readText(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw storageError(error, `${path} cannot be read`);
  }
}
