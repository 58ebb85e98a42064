import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { GraceError } from '@grace/contracts';
import { readLedger } from '../read.ts';
import { CHECKPOINT_FILE, type Checkpoint, readCheckpoint, readText } from './checkpoint.ts';
import { examine } from './examine.ts';
import { type Claim, LOG, type TreeProblem } from './flaw.ts';
import { parseVkey, type Verifier } from './note.ts';
import { VKEY_FILE } from './options.ts';
import { readWitnessState, type WitnessState } from './witness-state.ts';

export interface VerifyTreeOptions {
  ledgerDir: string;
  /** The folder of the log: checkpoint, vkey, tiles. */
  logDir: string;
  /** The folder of the witness, if there is one. */
  witnessDir?: string | undefined;
  /** The key of the log, where it is known from elsewhere; else what the witness knows, else what stands in the folder. */
  vkey?: string | undefined;
  /** The seq before the first record of the epoch; 0. */
  base?: number;
  signal?: AbortSignal | undefined;
}

export interface TreeVerification {
  ok: boolean;
  /** Leaves that were grown from the records again. */
  size: number;
  /** Root over them, base64. */
  root: string;
  checkpoint: { origin: string; size: number; root: string; cosignatures: Checkpoint['cosignatures'] } | null;
  witness: { name: string; size: number; root: string; atMs: number } | null;
  /** At most 100. */
  problems: TreeProblem[];
}

/**
 * Computes the tree again from the records and holds it against the checkpoint, the tiles and what the witness saw. Takes no lock. Damage of
 * the segments is told by `verifyLedger`.
 * @throws GraceError `STORAGE_FAILED` when something cannot be read
 */
export async function verifyTree(options: VerifyTreeOptions): Promise<TreeVerification> {
  const { ledgerDir, logDir, base = 0, signal } = options;
  const problems: TreeProblem[] = [];
  const { checkpoint, witness } = await claimed(options, problems);
  const claims: Claim[] = [];
  if (witness?.head) claims.push({ by: 'witness', head: witness.head });
  if (checkpoint) claims.push({ by: LOG, head: checkpoint });
  const records = { base, dir: ledgerDir, read: (from: number, limit: number) => readLedger(ledgerDir, from, limit) };
  const examined = await examine(logDir, records, claims, { published: checkpoint?.size ?? 0, signal });
  problems.push(...examined.problems);
  return {
    ok: problems.length === 0,
    size: examined.size,
    root: examined.root.toString('base64'),
    checkpoint: checkpoint && {
      origin: checkpoint.origin,
      size: checkpoint.size,
      root: checkpoint.root.toString('base64'),
      cosignatures: checkpoint.cosignatures,
    },
    witness: witness?.head
      ? {
          name: witness.verifier.name,
          size: witness.head.size,
          root: witness.head.root.toString('base64'),
          atMs: witness.head.cosignatures[0]!.atMs,
        }
      : null,
    problems,
  };
}

/** What the log and its witness have signed; what cannot be believed is a problem. */
async function claimed(
  { logDir, witnessDir, vkey }: VerifyTreeOptions,
  problems: TreeProblem[],
): Promise<{ checkpoint: Checkpoint | null; witness: WitnessState | null }> {
  const attempt = async <T>(kind: TreeProblem['kind'], work: () => Promise<T>): Promise<T | null> => {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof GraceError) || !['PROOF_INVALID', 'BAD_INPUT'].includes(error.code)) throw error;
      problems.push({ kind, message: error.message });
      return null;
    }
  };
  const published = vkey ?? (await readText(join(logDir, VKEY_FILE)));
  const own = published === null ? null : await attempt('checkpoint', async () => parseVkey(published));
  const witness =
    own && witnessDir !== undefined ? await attempt('witness', () => readWitnessState(witnessDir, own.name)) : null;
  if (own && witness && witness.log.vkey !== own.vkey) {
    problems.push({ kind: 'checkpoint', message: `the witness knows ${own.name} by another key`, path: VKEY_FILE });
  }
  const keys: Verifier[] = witness ? [witness.log] : own ? [own] : [];
  const checkpoint = await attempt('checkpoint', () => readCheckpoint(logDir, keys, witness ? [witness.verifier] : []));
  if (checkpoint === null && problems.length === 0) problems.push(...(await expectCheckpoint(logDir, witness)));
  return { checkpoint, witness };
}

/** Without a checkpoint there may be no tiles, and no witness may have seen one. */
async function expectCheckpoint(logDir: string, witness: WitnessState | null): Promise<TreeProblem[]> {
  const hasTiles = (await readdir(join(logDir, 'tile')).catch(() => [])).length > 0;
  if (!hasTiles && !witness?.head) return [];
  const since = witness?.head ? `, and the witness saw one of size ${witness.head.size}` : ' beside tiles';
  return [{ kind: 'checkpoint', message: `the checkpoint is missing${since}`, path: CHECKPOINT_FILE }];
}
