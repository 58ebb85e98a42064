import { hash as digest } from 'node:crypto';
import type { Appended } from '../append-queue.ts';
import type { LedgerProblem } from '../problems.ts';

/** Something that says which hash a record had: a head, a checkpoint, a witness, the living writer. */
export interface Anchor {
  /** Who says so, for people. */
  source: string;
  /** Whether it lies in the folder itself, and so would be set back together with it. */
  inside: boolean;
  seq: number;
  /** Hex. */
  hash: string;
}

/** Of what was noted about one record: what lies outside the folder, if anything does, for the rest is forged together with it. */
export function weightiest(anchors: readonly Anchor[]): readonly Anchor[] {
  const outside = anchors.filter(({ inside }) => !inside);
  return outside.length > 0 ? outside : anchors;
}

export interface SeqRange {
  from: number;
  to: number;
}

/** Records that can still be read, one behind the other in one file. */
export interface KeptRun extends SeqRange {
  /** File of the epoch's folder. */
  segment: string;
  /** Byte where record `from` begins, or one before it. */
  offset: number;
  /** Of record `to`, hex; empty where a run was cut short. */
  hash: string;
}

/**
 * What is known about an epoch that was damaged, in `seal.json` beside its files. The first header of the next epoch names the SHA-256 of
 * these bytes as the hash before its first record: who changes the seal, or the files it names, breaks that link.
 */
export interface Seal {
  epoch: number;
  sealedAtMs: number;
  by: string;
  reason: string;
  /** The first 100. */
  problems: LedgerProblem[];
  /** What this epoch itself continues. */
  base: Appended;
  /** End of the prefix with nothing wrong. */
  lastGood: Appended;
  /** First seq of the next epoch. No seq that may have been acknowledged is given again. */
  next: number;
  kept: KeptRun[];
  /** Neither readable nor given again. */
  lost: SeqRange[];
  /** Readable, but something outside the chain says that they are not what was acknowledged; not given to readers. */
  disputed: SeqRange[];
  files: { name: string; bytes: number; sha256: string }[];
  anchors: Anchor[];
}

/** What a verification tells of a sealed epoch. */
export interface SealedReport {
  epoch: number;
  sealedAtMs: number;
  by: string;
  reason: string;
  /** Records of it that can be read. */
  records: number;
  lost: SeqRange[];
  disputed: SeqRange[];
}

/** What the first record of the new epoch says about the old one; the rest stands in the seal whose hash it names. */
export interface SealEntry {
  epoch: number;
  sealed: number;
  sealHash: string;
  by: string;
  reason: string;
  lastGood: Appended;
  keptRecords: number;
  lost: SeqRange[];
  disputed: SeqRange[];
  anchors: Anchor[];
}

const RANGES_TOLD = 100;

export const encodeSeal = (seal: Seal): Buffer => Buffer.from(`${JSON.stringify(seal, null, 1)}\n`);

export const hashOfSeal = (bytes: Uint8Array): string => digest('sha256', bytes, 'hex');

/** @throws SyntaxError, TypeError for bytes that are no seal */
export function decodeSeal(bytes: Buffer): Seal {
  const seal = JSON.parse(bytes.toString('utf8')) as Seal;
  const lists = [seal.kept, seal.lost, seal.disputed, seal.files, seal.problems, seal.anchors];
  if (!lists.every(Array.isArray) || typeof seal.next !== 'number' || typeof seal.base?.seq !== 'number') {
    throw new TypeError('not a seal');
  }
  return seal;
}

export function sealEntry(seal: Seal, sealHash: string): SealEntry {
  const { epoch, by, reason, lastGood, kept, lost, disputed, anchors } = seal;
  return {
    ...{ epoch: epoch + 1, sealed: epoch, sealHash, by, reason, lastGood, keptRecords: countOf(kept) },
    ...{ lost: lost.slice(0, RANGES_TOLD), disputed: disputed.slice(0, RANGES_TOLD), anchors },
  };
}

export function countOf(ranges: readonly SeqRange[]): number {
  return ranges.reduce((sum, { from, to }) => sum + to - from + 1, 0);
}

/** What of `whole` is in none of `parts`; `parts` do not overlap and are in order. */
export function without(whole: SeqRange, parts: readonly SeqRange[]): SeqRange[] {
  const rest: SeqRange[] = [];
  let from = whole.from;
  for (const part of parts) {
    if (part.from > from) rest.push({ from, to: Math.min(part.from - 1, whole.to) });
    from = Math.max(from, part.to + 1);
  }
  if (from <= whole.to) rest.push({ from, to: whole.to });
  return rest.filter((range) => range.from <= range.to);
}
