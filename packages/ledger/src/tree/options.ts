import type { LedgerRecord } from '../read.ts';
import type { TreeHead } from './checkpoint.ts';
import type { Claim } from './flaw.ts';
import type { Signer, Verifier } from './note.ts';

/** The records of one epoch. */
export interface TreeRecords {
  /** The seq before its first record. */
  base: number;
  /** Seq of the newest durable record. */
  last(): number;
  read(from: number, limit: number): AsyncIterable<LedgerRecord>;
}

/** Who signs beside the log that it grew and did nothing else. */
export interface Cosigner {
  /** Null while its key is not known yet. */
  readonly verifier: Verifier | null;
  /** Whether asking it makes sense now: it has not just failed to answer. */
  readonly isReady: boolean;
  /**
   * Signature lines, verified.
   * @throws GraceError `LEDGER_CORRUPT` with the reason `rolled-back` or `forked` when it saw another tree; others when it cannot be asked
   */
  cosign(head: TreeHead, note: string, proof: (from: number) => Promise<Buffer[]>): Promise<string>;
}

export interface TreeLogOptions {
  dir: string;
  records: TreeRecords;
  signer: Signer;
  cosigners: readonly Cosigner[];
  /** How many of them must sign before a checkpoint is published; 0. */
  cosignaturesMin?: number;
  /** What witnesses are known to have seen of this log. */
  seen: readonly Claim[];
  /** Makes every tile again, because they do not fit the records, which do fit what was signed; false. */
  anew?: boolean;
}

/** The key that verifies the checkpoint, for whoever has a copy of the folder; whether to trust it they must know from elsewhere. */
export const VKEY_FILE = 'vkey';

export const verifiersOf = (cosigners: readonly Cosigner[]): Verifier[] =>
  cosigners.flatMap(({ verifier }) => (verifier ? [verifier] : []));
