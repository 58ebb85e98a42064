import { type AnyDraft, type AnyRecord, type Clock, GraceError } from '@grace/contracts';
import { type Ledger, openLedger, readLedger } from '@grace/ledger';

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
  close(): Promise<void>;
}

/** How many entries are looked through first for the last boot; ten times as many each further time. */
const LOOK_BACK = 5000;

/** Records kept in memory for followers. Older ones are read from disk. */
const MEMORY = 20_000;

/**
 * Opens the journal of a home. A record has its number and is with the operating system before anybody is told of it, so the end of this
 * process loses none and no number is given twice; the disk follows by group commit, and decisions never wait for it.
 * A disk that refuses (full, broken) costs records on disk, never supervision; `refused` counts them.
 */
export async function openJournal(dir: string, clock: Clock): Promise<Journal> {
  const ledger: Ledger = await openLedger({ dir, groupCommitMs: 5, writeThrough: true });
  const listeners = new Set<(record: AnyRecord) => void>();
  let recent: AnyRecord[] = [];
  let seq = await lastSeq(dir, ledger);
  let refused = 0;
  return {
    get last() {
      return seq;
    },
    get refused() {
      return refused;
    },
    append(draft) {
      seq++;
      const record = {
        seq,
        wallMs: clock.wallMs(),
        monoMs: Math.round(clock.monoMs() * 1000) / 1000,
        ...draft,
      } as AnyRecord;
      ledger.append(JSON.stringify(record)).catch(() => {
        refused++;
      });
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
      const records: AnyRecord[] = [];
      await ledger.flush();
      for await (const entry of readLedger(dir, 1, Number.MAX_SAFE_INTEGER)) {
        const record = parseRecord(entry.payload);
        if (record && record.seq > after) records.push(record);
        if (records.length >= limit) break;
      }
      return records;
    },
    async sinceBoot() {
      await ledger.flush();
      for (let back = LOOK_BACK; ; back *= 10) {
        const from = Math.max(1, ledger.last.seq - back);
        let records: AnyRecord[] = [];
        for await (const entry of readLedger(dir, from, Number.MAX_SAFE_INTEGER)) {
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

/** A ledger holds entries of its own besides (a recovery is one), so its numbers are not ours. */
async function lastSeq(dir: string, ledger: Ledger): Promise<number> {
  const from = Math.max(1, ledger.last.seq - 10);
  let last = 0;
  for await (const entry of readLedger(dir, from, 100)) last = Math.max(last, parseRecord(entry.payload)?.seq ?? 0);
  if (last === 0 && ledger.last.seq > 11)
    throw new GraceError('LEDGER_CORRUPT', `the journal in ${dir} holds no records that can be read`);
  return last;
}

function parseRecord(payload: Uint8Array): AnyRecord | undefined {
  try {
    const value = JSON.parse(Buffer.from(payload).toString('utf8')) as AnyRecord;
    return typeof value.seq === 'number' && typeof value.name === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}
