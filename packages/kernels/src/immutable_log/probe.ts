import { GraceError } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';
import type { Ledger } from '@grace/ledger';
import { decodeRecord } from './entry.ts';
import type { Integrity } from './integrity.ts';
import { assertIncluded } from './proof-verbs.ts';
import type { Recorder } from './recorder.ts';
import type { Transparency } from './transparency.ts';

/** Its records stand out by this, so that a reader can leave them out. */
const PROBE_SUBSYSTEM = 'probe';

/**
 * The job once, for real: appends a record and reads it back from disk, where its checksum, its SHA-256 and its link to the record before
 * are computed again, and proves that it is in the tree that was signed last. A probe every few seconds would fill the record with probes, so the append is repeated once in `appendEveryMs`, and
 * at once while writes fail; in between the same record is read and computed again.
 */
export function createProbe(
  ctx: KernelContext,
  ledger: Ledger,
  recorder: Recorder,
  integrity: Integrity,
  transparency: Transparency,
  appendEveryMs: number,
): () => Promise<Record<string, unknown>> {
  let probed: { seq: number; hash: string; atMono: number; epoch: number } | null = null;

  return async () => {
    const isYoung = probed !== null && ctx.clock.monoMs() - probed.atMono < appendEveryMs;
    const isFresh = isYoung && probed!.epoch === ledger.epoch.number && !recorder.isFailing;
    if (!isFresh) {
      const entry = { actor: ctx.id, action: 'probe', resource: 'ledger', subsystem: PROBE_SUBSYSTEM, outcome: 'ok' };
      const receipt = await recorder.append({ ...entry, payload: { incarnation: ctx.incarnation } }, ctx.id);
      probed = { ...receipt, atMono: ctx.clock.monoMs(), epoch: ledger.epoch.number };
    }
    const { seq, hash } = probed!;
    try {
      await assertReadable(ledger, seq, hash);
    } catch (error) {
      if (!(error instanceof GraceError) || error.code !== 'LEDGER_CORRUPT') throw error;
      await integrity.suspect(error);
    }
    integrity.assertWhole();
    transparency.assertSound();
    // While damage waits for its repair, the record may be unreadable where the tree goes on.
    const checkpoint = integrity.problems.length === 0 ? await assertIncluded(ledger, transparency, seq) : null;
    const damage = integrity.problems.length;
    const found = { seq, hash, appended: !isFresh, last: ledger.last.seq, records: ledger.last.seq, checkpoint };
    return damage === 0 ? found : { ...found, damage };
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
