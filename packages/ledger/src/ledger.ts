import { storageError } from './failure.ts';
import { diskFiles, type FileLayer } from './files.ts';
import type { Ledger, LedgerOptions } from './interface.ts';
import { lockFolder } from './lock.ts';
import { OpenLedger } from './open-ledger.ts';
import { type Repair, type RepairOrder, type RepairPlace, repairFolder } from './repair/repair.ts';

export type { DurableBatch, Ledger, LedgerOptions } from './interface.ts';

/**
 * Opens the folder for writing and makes it when it is not there. A torn tail is cut off and the cut recorded as the next entry.
 * @throws GraceError `CONFLICT` when the folder has a writer; `LEDGER_CORRUPT` naming segment, offset and seq when something in it is not
 *   what was written; `STORAGE_FULL`, `STORAGE_FAILED`
 */
export function openLedger(options: LedgerOptions): Promise<Ledger> {
  return openLedgerOn(diskFiles, options);
}

/** `openLedger` on another file layer. */
export async function openLedgerOn(files: FileLayer, options: LedgerOptions): Promise<Ledger> {
  const { dir } = options;
  const opening = (error: unknown) => storageError(error, `${dir}: the ledger cannot be opened`);
  await files.makeFolder(dir).catch((error) => Promise.reject(opening(error)));
  const lock = await lockFolder(dir).catch((error) => Promise.reject(opening(error)));
  const ledger = new OpenLedger(files, options, lock);
  try {
    await ledger.open();
    return ledger;
  } catch (error) {
    await ledger.close().catch(() => undefined);
    throw opening(error);
  }
}

/**
 * Repairs a ledger that has no writer, and records what was done as its next entry.
 * @throws GraceError `CONFLICT` when it has a writer; `STORAGE_FULL`, `STORAGE_FAILED`
 */
export async function repairLedger({ dir, ...place }: RepairPlace, order: RepairOrder): Promise<Repair> {
  if (order.dryRun) return repairFolder(diskFiles, { dir, ...place }, order);
  const lock = await lockFolder(dir);
  const ledger = new OpenLedger(diskFiles, { dir, ...place }, lock);
  try {
    return (await ledger.open(order))!;
  } catch (error) {
    throw storageError(error, `${dir}: the ledger cannot be repaired`);
  } finally {
    await ledger.close().catch(() => undefined);
  }
}
