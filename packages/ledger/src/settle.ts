import { join } from 'node:path';
import { type Epoch, epochAfter, listSealed, type SealedEpoch } from './epoch/epochs.ts';
import { sealEntry } from './epoch/seal.ts';
import { type FileLayer, readSmall } from './files.ts';
import type { RecordDraft } from './format.ts';
import { readHeads } from './head.ts';
import { ownRecord, recover, type Truncation } from './recovery.ts';
import { type Repair, type RepairOrder, type RepairPlace, repairFolder } from './repair/repair.ts';
import { RESTORATION_FILE } from './repair/restore.ts';
import { finishSealing } from './repair/sealing.ts';
import type { SegmentWriter } from './segment-writer.ts';
import { inspectFolder, type Standing } from './standing.ts';

export interface Settled {
  epoch: Epoch;
  sealed: SealedEpoch[];
  truncation: Truncation | null;
  repair: Repair | null;
}

/**
 * Brings a folder into the state in which a writer can go on: what was begun is finished, what is ordered is repaired, a torn tail is cut
 * off, and whatever was done stands there as the next entries. Whoever calls it has the lock, and no batch is under way.
 * @throws GraceError `LEDGER_CORRUPT` when nothing was ordered and something is not what was written
 */
export async function settleFolder(
  files: FileLayer,
  place: RepairPlace,
  writer: SegmentWriter,
  order: RepairOrder | null,
): Promise<Settled> {
  const { dir, outerHead } = place;
  await finishSealing(files, dir);
  const repair = order && (await repairFolder(files, place, order));
  const sealed = await listSealed(files, dir);
  const epoch = await epochAfter(files, dir, sealed);
  const heads = await readHeads(files, dir, outerHead);
  const standing = await inspectFolder(files, dir, epoch.base, heads);
  await writer.begin(standing);
  const restoration = await readSmall(files, join(dir, RESTORATION_FILE), 1024 ** 2);
  const due = [...sealDue(epoch, sealed, standing), ...repairDue(restoration, standing)];
  const truncation = await recover(files, dir, standing, writer, due);
  if (restoration !== null) {
    await files.remove(join(dir, RESTORATION_FILE));
    await files.syncFolder(dir);
  }
  return { epoch, sealed, truncation, repair };
}

/** The first record of an epoch says what it continues. */
function sealDue({ base }: Epoch, sealed: readonly SealedEpoch[], { last }: Standing): RecordDraft[] {
  const before = sealed.at(-1);
  if (!before || last.seq > base.seq) return [];
  if (before.seal === null) return [ownRecord('seal', { sealed: before.number, sealHash: before.sealHash })];
  return [ownRecord('seal', sealEntry(before.seal, before.sealHash))];
}

/** What was restored is told once, however often the process died on the way. */
function repairDue(restoration: Buffer | null, { newest }: Standing): RecordDraft[] {
  if (restoration === null) return [];
  const told = newest?.kind === 'repair' && Buffer.from(newest.payload).equals(restoration);
  return told ? [] : [ownRecord('repair', JSON.parse(restoration.toString('utf8')))];
}
