import { hash as digest } from 'node:crypto';
import { join } from 'node:path';
import { type Checkpoint, openCheckpoint, readText } from './checkpoint.ts';
import { invalid, parseVkey, type Verifier } from './note.ts';

/**
 * The folder of a witness: its secret `key`, its `vkey`, and for each log `logs/<SHA-256 of the origin>/` with the `vkey` by which it came to
 * know the log and the newest `checkpoint` it has cosigned.
 */
export const WITNESS_FILES = { key: 'key', vkey: 'vkey', logs: 'logs' } as const;

export interface WitnessState {
  verifier: Verifier;
  /** The log, by the key under which the witness first saw it. */
  log: Verifier;
  /** The newest head it cosigned, its own cosignature verified. */
  head: Checkpoint | null;
}

export function logFolder(witnessDir: string, origin: string): string {
  return join(witnessDir, WITNESS_FILES.logs, originHash(origin));
}

/** How a log is named in the protocol. */
export function originHash(origin: string): string {
  return digest('sha256', origin, 'hex');
}

/**
 * What a witness saw of a log, from its folder, without its process; null when it does not know the log.
 * @throws GraceError `PROOF_INVALID` when the checkpoint there is not signed by both; `BAD_INPUT` when a key there is none; `STORAGE_FAILED`
 */
export async function readWitnessState(witnessDir: string, origin: string): Promise<WitnessState | null> {
  const folder = logFolder(witnessDir, origin);
  const [own, log, note] = await Promise.all([
    readText(join(witnessDir, WITNESS_FILES.vkey)),
    readText(join(folder, 'vkey')),
    readText(join(folder, 'checkpoint')),
  ]);
  if (own === null || log === null) return null;
  const state = { verifier: parseVkey(own), log: parseVkey(log) };
  if (note === null) return { ...state, head: null };
  const head = openCheckpoint(note, [state.log], [state.verifier]);
  if (head.cosignatures.length === 0) throw invalid(`${folder}: the witness has not signed its own checkpoint`);
  if (head.origin !== origin) throw invalid(`${folder}: the checkpoint is of "${head.origin}"`);
  return { ...state, head };
}
