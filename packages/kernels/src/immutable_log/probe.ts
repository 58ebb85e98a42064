import { GraceError } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';
import type { Ledger } from '@grace/ledger';
import { decodeRecord } from './entry.ts';
import type { Integrity } from './integrity.ts';
import type { Recorder } from './recorder.ts';

/** Its records stand out by this, so that a reader can leave them out. */
const PROBE_SUBSYSTEM = 'probe';

/**
 * The job once, for real: appends a record and reads it back from disk, where its checksum, its SHA-256 and its link to the record before
 * are computed again. A probe every few seconds would fill the record with probes, so the append is repeated once in `appendEveryMs`, and
 * at once while writes fail; in between the same record is read and computed again.
 */
export function createProbe(
  ctx: KernelContext,
  ledger: Ledger,
  recorder: Recorder,
  integrity: Integrity,
  appendEveryMs: number,
): () => Promise<Record<string, unknown>> {
  let probed: { seq: number; hash: string; atMono: number } | null = null;

  return async () => {
    const isFresh = probed !== null && ctx.clock.monoMs() - probed.atMono < appendEveryMs && !recorder.isFailing;
    if (!isFresh) {
      const entry = { actor: ctx.id, action: 'probe', resource: 'ledger', subsystem: PROBE_SUBSYSTEM, outcome: 'ok' };
      const receipt = await recorder.append({ ...entry, payload: { incarnation: ctx.incarnation } }, ctx.id);
      probed = { ...receipt, atMono: ctx.clock.monoMs() };
    }
    const { seq, hash } = probed!;
    await assertReadable(ledger, seq, hash);
    integrity.assertWhole();
    return { seq, hash, appended: !isFresh, last: ledger.last.seq, records: ledger.last.seq };
  };
}

/** The ledger computes again what it reads; what is left to see is that the record is the one that was acknowledged. */
async function assertReadable(ledger: Ledger, seq: number, hash: string): Promise<void> {
  const from = Math.max(1, seq - 1);
  for await (const record of ledger.read(from, seq - from + 1)) {
    if (record.seq < seq) continue;
    if (record.hash === hash && decodeRecord(record).subsystem === PROBE_SUBSYSTEM) return;
    throw new GraceError('LEDGER_CORRUPT', `record ${seq} is not the one that was written`, { seq, hash: record.hash });
  }
  throw new GraceError('LEDGER_CORRUPT', `record ${seq} was acknowledged and is not there`, { seq });
}
