import { type AnyDraft, type AnyRecord, type Clock, GraceError } from '@grace/contracts';
import { type Ledger, openLedger, type Repair, repairLedger } from '@grace/ledger';
import { Pages, parseRecord } from './pages.ts';

/** The system's one record of events. Every other view is a fold over it. */
export interface Journal {
  readonly last: number;
  append(draft: AnyDraft): AnyRecord;
  /** Records after `after`, at most `limit`; from memory where they are still there, else from disk. */
  read(after: number, limit: number): Promise<AnyRecord[]>;
  /** The records of the present boot, or of the last one: from its `system:boot` on. Empty when there is none. */
  sinceBoot(): Promise<AnyRecord[]>;
  subscribe(listener: (record: AnyRecord) => void): () => void;
  /** Set when the disk refused records; service goes on, and it is said. */
  readonly refused: number;
  /** What was wrong with it at open, and what was done about it; null: nothing was. */
  readonly repaired: Repair | null;
  close(): Promise<void>;
}

/** How many entries are looked through first for the last boot; ten times as many each further time. */
const LOOK_BACK = 5000;

/** Records kept in memory for followers. Older ones are read from disk. */
const MEMORY = 20_000;

/**
 * Opens the journal of a home. A record has its number and is with the operating system before anybody is told of it, so the end of this
 * process loses none and no number is given twice; the disk follows by group commit, and decisions never wait for it.
 * A disk that refuses (full, broken) costs records on disk, never supervision; `refused` counts them. A journal that is damaged is sealed,
 * and a new epoch of it begun: `repaired` says so, and a system boots whatever became of its past.
 */
export async function openJournal(dir: string, clock: Clock): Promise<Journal> {
  const { ledger, seq: last, repaired } = await openWhole(dir);
  const pages = new Pages(ledger);
  const listeners = new Set<(record: AnyRecord) => void>();
  let recent: AnyRecord[] = [];
  let seq = last;
  let refused = 0;
  return {
    get last() {
      return seq;
    },
    get refused() {
      return refused;
    },
    repaired,
    append(draft) {
      seq++;
      const record = {
        seq,
        wallMs: clock.wallMs(),
        monoMs: Math.round(clock.monoMs() * 1000) / 1000,
        ...draft,
      } as AnyRecord;
      const newest = ledger.last.seq;
      ledger.append(JSON.stringify(record)).catch(() => {
        refused++;
      });
      if (ledger.last.seq > newest) pages.note(seq, ledger.last.seq);
      recent.push(record);
      if (recent.length > MEMORY * 1.25) recent = recent.slice(-MEMORY);
      for (const listener of listeners) listener(record);
      return record;
    },
    async read(after, limit) {
      const first = recent[0]?.seq ?? seq + 1;
      if (after + 1 >= first) {
        const start = after + 1 - first;
        return recent.slice(start, start + limit);
      }
      return pages.read(after, limit);
    },
    async sinceBoot() {
      for (let back = LOOK_BACK; ; back *= 10) {
        const from = Math.max(1, ledger.last.seq - back);
        let records: AnyRecord[] = [];
        for await (const entry of ledger.read(from, Number.MAX_SAFE_INTEGER)) {
          const record = parseRecord(entry.payload);
          if (record?.name === 'system:boot') records = [record];
          else if (record && records.length > 0) records.push(record);
        }
        if (records.length > 0 || from === 1) return records;
      }
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close: () => ledger.close(),
  };
}

/** An open does not walk older segments; where the end of the journal reaches into a damaged one, that is sealed too. */
async function openWhole(dir: string): Promise<{ ledger: Ledger; seq: number; repaired: Repair | null }> {
  const place = { dir, outerHead: `${dir}.head` };
  const open = () => openLedger({ ...place, groupCommitMs: 5, writeThrough: true, onDamage: 'repair' });
  const ledger = await open();
  try {
    return { ledger, seq: await lastSeq(ledger), repaired: ledger.repaired };
  } catch (error) {
    await ledger.close();
    if (!(error instanceof GraceError) || error.code !== 'LEDGER_CORRUPT') throw error;
    const repaired = await repairLedger(place, { by: 'supervisor', reason: error.message });
    const again = await open();
    return { ledger: again, seq: await lastSeq(again), repaired };
  }
}

/**
 * A ledger holds entries of its own besides (a recovery is one), so its numbers are not ours. Records that are lost had numbers too, and
 * those are not given again.
 */
async function lastSeq(ledger: Ledger): Promise<number> {
  const end = ledger.last.seq;
  for (let back = 10; ; back *= 10) {
    const from = Math.max(1, end - back);
    let found = { at: 0, seq: 0, own: 0 };
    for await (const entry of ledger.read(from, Number.MAX_SAFE_INTEGER)) {
      const record = parseRecord(entry.payload);
      if (record) found = { at: entry.seq, seq: Math.max(found.seq, record.seq), own: 0 };
      else if (entry.kind !== 'data') found.own++;
    }
    if (found.at > 0 || from === 1) return found.seq + end - found.at - found.own;
  }
}
