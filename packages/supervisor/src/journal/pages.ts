import { type AnyRecord, GraceError } from '@grace/contracts';
import { type Ledger, type LedgerRecord, SparseIndex } from '@grace/ledger';

/** Which entry of the ledger holds a record. */
interface Place {
  seq: number;
  entry: number;
}

const SPACING = 256;

/**
 * Pages of the journal from disk, each read from the nearest known place. The journal's numbers are not those of the entries: the ledger has
 * entries of its own, and a record that the disk refused has a number and no entry. But both only grow, so where nothing near is known the
 * place is searched for between two that are. What is passed is known from then on.
 */
export class Pages {
  readonly #ledger: Pick<Ledger, 'read' | 'last'>;
  readonly #places = new SparseIndex<Place>(SPACING, (before, behind) => behind.seq - before.seq);

  constructor(ledger: Pick<Ledger, 'read' | 'last'>) {
    this.#ledger = ledger;
  }

  /** Record `seq` is what `entry` holds. */
  note(seq: number, entry: number): void {
    this.#places.note({ seq, entry });
  }

  /**
   * Records after `after`, at most `limit`; those that were refused or are lost are not there.
   * @throws GraceError `LEDGER_CORRUPT`, `STORAGE_FAILED`
   */
  async read(after: number, limit: number): Promise<AnyRecord[]> {
    const records: AnyRecord[] = [];
    if (limit <= 0) return records;
    const from = await this.#entryBefore(after + 1);
    for await (const entry of this.#ledger.read(from, Number.MAX_SAFE_INTEGER)) {
      const record = this.#take(entry);
      if (record && record.seq > after) records.push(record);
      if (records.length >= limit) break;
    }
    return records;
  }

  /** An entry at or a little before that of the first record from `wanted` on. */
  async #entryBefore(wanted: number): Promise<number> {
    let low = this.#places.before(wanted) ?? { seq: 0, entry: 1 };
    let end = this.#places.behind(wanted)?.entry ?? this.#ledger.last.seq + 1;
    // Where nothing was refused or lost and the ledger wrote nothing of its own, the distances are the same.
    let probe = low.entry + wanted - low.seq;
    while (end - low.entry > SPACING && low.seq < wanted) {
      if (probe <= low.entry || probe >= end) probe = Math.floor((low.entry + end) / 2);
      const found = await this.#firstIn(probe, end);
      if (found === 'damaged') break;
      if (found && found.seq <= wanted) low = found;
      else end = probe;
      probe = 0;
    }
    return low.entry;
  }

  /** The first record in the entries from `from` up to and without `end`. Damage there need not concern the page that is wanted. */
  async #firstIn(from: number, end: number): Promise<Place | 'damaged' | null> {
    try {
      for await (const entry of this.#ledger.read(from, end - from)) {
        const record = this.#take(entry);
        if (record) return { seq: record.seq, entry: entry.seq };
      }
      return null;
    } catch (error) {
      if (error instanceof GraceError && error.code === 'LEDGER_CORRUPT') return 'damaged';
      throw error;
    }
  }

  #take(entry: LedgerRecord): AnyRecord | undefined {
    const record = parseRecord(entry.payload);
    if (record) this.note(record.seq, entry.seq);
    return record;
  }
}

/** The record in an entry; nothing in the entries of the ledger itself. */
export function parseRecord(payload: Uint8Array): AnyRecord | undefined {
  try {
    const value = JSON.parse(Buffer.from(payload).toString('utf8')) as AnyRecord;
    return typeof value.seq === 'number' && typeof value.name === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}
