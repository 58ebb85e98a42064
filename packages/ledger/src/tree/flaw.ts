import { GraceError } from '@grace/contracts';
import type { TreeHead } from './checkpoint.ts';

/**
 * checkpoint   missing beside tiles, unreadable, or not signed by the key of the log
 * tile         a tile or bundle is missing or not what the records give; it is derived, and made again at the next start
 * rewritten    the records up to the signed size do not give the signed root
 * rolled-back  there are fewer records than the log or its witness has signed
 * forked       the records up to what a witness saw give another root than it saw
 * witness      what the witness keeps is unreadable or not signed by it
 * unreadable   the ledger cannot be read up to the signed size
 */
export type TreeProblemKind = 'checkpoint' | 'tile' | 'rewritten' | 'rolled-back' | 'forked' | 'witness' | 'unreadable';

export interface TreeProblem {
  kind: TreeProblemKind;
  message: string;
  /** The first record concerned, where it can be told. */
  seq?: number;
  /** File, relative to the folder of the log. */
  path?: string;
}

/** A head that was signed before: by the log itself, or by a witness. */
export interface Claim {
  by: string;
  head: Pick<TreeHead, 'size' | 'root'>;
}

const saw = ({ by, head }: Claim): string => `${by} saw size ${head.size} root ${head.root.toString('base64')}`;

/** There are fewer records than a claim says. */
export function rolledBack(claim: Claim, records: number): TreeProblem {
  return { kind: 'rolled-back', message: `rolled back: ${saw(claim)}, the ledger holds ${records} records` };
}

/** The records that a claim is about give another root. */
export function contradicted(claim: Claim, root: Buffer, seq?: number): TreeProblem {
  const isOwn = claim.by === LOG;
  const given = `the records up to there give root ${root.toString('base64')}`;
  return {
    kind: isOwn ? 'rewritten' : 'forked',
    message: `${isOwn ? 'rewritten' : 'forked'}: ${saw(claim)}, ${given}`,
    ...(seq === undefined ? {} : { seq }),
  };
}

export function missing(seq: number): TreeProblem {
  return { kind: 'unreadable', message: `record ${seq} is not there`, seq };
}

/** The name of the log among those who claim something. */
export const LOG = 'checkpoint';

export function problemError(problem: TreeProblem): GraceError {
  const { kind, message, ...place } = problem;
  return new GraceError('LEDGER_CORRUPT', message, { reason: kind, ...place });
}
