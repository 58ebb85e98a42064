import type { KernelStore } from '@grace/kernel-sdk';
import type { DeedResult } from '../act/perform.ts';

export type FiringOutcome = 'done' | 'failed' | 'dropped' | 'cut' | 'rate';

/** What became of a rule and an event. `cut` and `rate` stand for firings that a limit prevented, `dropped` for one the full queue refused. */
export interface FiringRecord {
  /** 1, 2, 3, ... in the order in which they ended. */
  seq: number;
  atMs: number;
  rule: string;
  outcome: FiringOutcome;
  subject: string;
  event: string;
  from: string;
  depth: number;
  key: string;
  count: number;
  detail: string;
  deeds: DeedResult[];
}

export const RECORD_TABLES = `
  CREATE TABLE fired (seq INTEGER PRIMARY KEY AUTOINCREMENT, record TEXT NOT NULL);
`;

/** Records kept. */
const RECORDS_MAX = 10_000;
/** Records of one turn of the event loop that are written; more are counted. */
const BATCH_MAX = 1000;

/** The firing journal: bounded, in the store. Records of one turn of the event loop are written in one transaction. */
export interface FiringJournal {
  add(record: Omit<FiringRecord, 'seq'>): void;
  /** The newest first. */
  last(limit: number): FiringRecord[];
  flush(): void;
  /** Records that were not written because a turn held too many of them. */
  readonly omitted: number;
}

export function createFiringJournal(store: KernelStore, onError: (error: unknown) => void): FiringJournal {
  const { db } = store;
  const insert = db.prepare('INSERT INTO fired (record) VALUES (?)');
  const trim = db.prepare('DELETE FROM fired WHERE seq <= (SELECT max(seq) FROM fired) - ?');
  let batch: Omit<FiringRecord, 'seq'>[] = [];
  let soon: NodeJS.Immediate | undefined;
  let omitted = 0;

  const flush = (): void => {
    clearImmediate(soon);
    soon = undefined;
    if (batch.length === 0) return;
    const records = batch;
    batch = [];
    store.transaction(() => {
      for (const record of records) insert.run(JSON.stringify(record));
      trim.run(RECORDS_MAX);
    });
  };

  return {
    add(record) {
      if (batch.length >= BATCH_MAX) {
        omitted++;
        return;
      }
      batch.push(record);
      soon ??= setImmediate(() => {
        try {
          flush();
        } catch (error) {
          onError(error);
        }
      });
    },
    last(limit) {
      flush();
      const rows = db.prepare('SELECT seq, record FROM fired ORDER BY seq DESC LIMIT ?').all(limit);
      return (rows as { seq: number; record: string }[]).map(({ seq, record }) => ({ seq, ...JSON.parse(record) }));
    },
    flush,
    get omitted() {
      return omitted;
    },
  };
}
