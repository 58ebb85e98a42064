import { type Checkpoint, openCheckpoint, parseHead } from './checkpoint.ts';
import { leafHash } from './merkle.ts';
import { decode, invalid, type Verifier } from './note.ts';
import { verifyConsistency, verifyInclusion } from './proofs.ts';

/**
 * Proofs as files that verify without the log. Of inclusion: C2SP tlog-proof, https://c2sp.org/tlog-proof, with the leaf itself as extra
 * data, so that the file alone says what is proved. Of consistency, for which there is no specification: the same form with both sizes.
 */
const INCLUSION = 'c2sp.org/tlog-proof@v1';
const CONSISTENCY = 'grace/consistency-proof@v1';

export interface InclusionFile {
  kind: 'inclusion';
  index: number;
  hashes: Buffer[];
  /** The leaf; not signed by itself, but what the proof leads from. */
  extra: Buffer | null;
  note: string;
}

export interface ConsistencyFile {
  kind: 'consistency';
  from: number;
  /** Of the tree of `from` leaves. */
  rootFrom: Buffer;
  hashes: Buffer[];
  note: string;
}

export function formatInclusion({ index, hashes, extra, note }: Omit<InclusionFile, 'kind'>): string {
  const lines = [INCLUSION, ...(extra ? [`extra ${extra.toString('base64')}`] : []), `index ${index}`];
  return `${[...lines, ...hashes.map((hash) => hash.toString('base64'))].join('\n')}\n\n${note}`;
}

export function formatConsistency({ from, rootFrom, hashes, note }: Omit<ConsistencyFile, 'kind'>): string {
  const lines = [CONSISTENCY, `old ${from} ${rootFrom.toString('base64')}`];
  return `${[...lines, ...hashes.map((hash) => hash.toString('base64'))].join('\n')}\n\n${note}`;
}

/** @throws GraceError `PROOF_INVALID` */
export function parseProof(text: string): InclusionFile | ConsistencyFile {
  const border = text.indexOf('\n\n');
  if (border < 0) throw invalid('no proof file: the checkpoint is missing');
  const lines = text.slice(0, border).split('\n');
  const note = text.slice(border + 2);
  const form = lines.shift();
  if (form === CONSISTENCY) {
    const [, from = '', root = ''] = /^old (0|[1-9]\d*) (\S+)$/.exec(lines.shift() ?? '') ?? [];
    return { kind: 'consistency', from: size(from), rootFrom: hash(root), hashes: lines.map(hash), note };
  }
  if (form !== INCLUSION) throw invalid(`no proof file: expected "${INCLUSION}" in the first line`);
  const extra = lines[0]?.startsWith('extra ') ? decode(lines.shift()!.slice('extra '.length)) : null;
  const [, index = ''] = /^index (0|[1-9]\d*)$/.exec(lines.shift() ?? '') ?? [];
  return { kind: 'inclusion', index: size(index), hashes: lines.map(hash), extra, note };
}

export interface CheckedProof {
  kind: 'inclusion' | 'consistency';
  checkpoint: Checkpoint;
  /** Index of the leaf, or size of the older tree. */
  at: number;
  leaf: Buffer | null;
}

/**
 * Verifies a proof file with nothing but keys. The leaf is taken from the file unless it is given.
 * @throws GraceError `PROOF_INVALID` when it does not verify
 */
export function checkProof(
  text: string,
  { logs, witnesses = [], leaf }: { logs: readonly Verifier[]; witnesses?: readonly Verifier[]; leaf?: Uint8Array },
): CheckedProof {
  const proof = parseProof(text);
  const checkpoint = openCheckpoint(proof.note, logs, witnesses);
  const { size, root } = checkpoint;
  if (proof.kind === 'consistency') {
    if (!verifyConsistency(proof.from, size, proof.rootFrom, root, proof.hashes)) {
      throw invalid(`the proof does not show that the tree of size ${size} continues that of size ${proof.from}`);
    }
    return { kind: proof.kind, checkpoint, at: proof.from, leaf: null };
  }
  const content = leaf ?? proof.extra;
  if (!content) throw invalid('the file does not hold the leaf; give it');
  if (!verifyInclusion(proof.index, size, leafHash(content), proof.hashes, root)) {
    throw invalid(`the proof does not lead from the leaf at index ${proof.index} to the signed root of size ${size}`);
  }
  return { kind: proof.kind, checkpoint, at: proof.index, leaf: Buffer.from(content) };
}

/** Of which log a proof file claims to be, before anything is verified. */
export function originOf(text: string): string {
  const { note } = parseProof(text);
  return parseHead(note.slice(0, note.lastIndexOf('\n\n') + 1)).origin;
}

function size(text: string): number {
  if (text === '' || !Number.isSafeInteger(Number(text))) throw invalid('the proof file names no index or size');
  return Number(text);
}

function hash(line: string): Buffer {
  const bytes = decode(line);
  if (bytes?.length !== 32) throw invalid(`not a hash: ${line.slice(0, 60)}`);
  return bytes;
}
