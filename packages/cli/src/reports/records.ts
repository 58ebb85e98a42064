import { type AnyRecord, GraceError } from '@grace/contracts';
import { readLedger } from '@grace/ledger';

/** A journal longer than this is no journal of one run. */
const MAX_RECORDS = 5_000_000;

/**
 * The records of a run: from the boot of its system to the end of the journal. Reads while a supervisor still writes.
 * @throws GraceError `LEDGER_CORRUPT`, `STORAGE_FAILED`, `NOT_FOUND` when the journal holds no such run
 */
export async function readRunRecords(journal: string, run: string | undefined): Promise<AnyRecord[]> {
  let records: AnyRecord[] = [];
  let started: AnyRecord[] | undefined;
  for await (const { payload } of readLedger(journal, 1, MAX_RECORDS)) {
    const record = parseRecord(payload);
    if (!record) continue;
    // A later boot of the same home has nothing to do with this run.
    if (record.name === 'system:boot') records = [];
    records.push(record);
    if (record.name === 'run:start' && (run === undefined || record.data.run === run)) started = records;
  }
  if (!started) throw new GraceError('NOT_FOUND', `${journal} holds no run${run === undefined ? '' : ` "${run}"`}`);
  return started;
}

/** The ledger holds entries of its own too, such as that of a recovery. */
export function parseRecord(payload: Uint8Array): AnyRecord | undefined {
  try {
    const value = JSON.parse(Buffer.from(payload).toString('utf8')) as AnyRecord;
    return typeof value?.seq === 'number' && typeof value.name === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}
