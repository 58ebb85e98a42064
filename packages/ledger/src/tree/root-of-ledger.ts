import { readLedger } from '../read.ts';
import { missing, problemError } from './flaw.ts';
import { Growth } from './growth.ts';

/**
 * The Merkle root over the first `size` records of an epoch, from the segments alone.
 * @throws GraceError `LEDGER_CORRUPT` when they cannot be read, or are fewer
 */
export async function rootOfLedger(
  ledgerDir: string,
  size: number,
  { base = 0, signal }: { base?: number; signal?: AbortSignal } = {},
): Promise<Buffer> {
  const growth = new Growth(() => undefined);
  for await (const record of readLedger(ledgerDir, base + 1, size)) {
    signal?.throwIfAborted();
    if (record.seq !== base + growth.size + 1) break;
    growth.add(record, record.payload.length);
  }
  if (growth.size < size) throw problemError(missing(base + growth.size + 1));
  return growth.root();
}
