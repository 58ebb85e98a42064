import { deserialize, serialize } from 'node:v8';
import type { KernelContext } from '@grace/kernel-sdk';
import type { Intention } from '../act/intention.ts';
import type { FiringRecord } from './record.ts';

export const RECORD_TABLES = `
  CREATE TABLE fired (seq INTEGER PRIMARY KEY AUTOINCREMENT, record TEXT NOT NULL);
`;

/** Firings on record before they are carried out, and what tells how deep the messages of the ended ones stood. */
export const INTENTION_TABLES = `
  CREATE TABLE intended (seq INTEGER PRIMARY KEY AUTOINCREMENT, event TEXT NOT NULL, rule TEXT NOT NULL, intention BLOB NOT NULL);
  ALTER TABLE fired ADD COLUMN event TEXT;
  ALTER TABLE fired ADD COLUMN rule TEXT;
  ALTER TABLE fired ADD COLUMN firing TEXT;
  ALTER TABLE fired ADD COLUMN deeds INTEGER;
  ALTER TABLE fired ADD COLUMN depth INTEGER;
  ALTER TABLE fired ADD COLUMN own TEXT;
  CREATE INDEX fired_event ON fired (event, rule);
  CREATE INDEX intended_event ON intended (event, rule);
`;

/** Records kept. */
const RECORDS_MAX = 10_000;
/** Records of one turn of the event loop that are written; more are counted. Those that end an intention are always written. */
const BATCH_MAX = 1000;
/** Ended firings whose messages may still be on their way when the kernel starts anew. */
const TRACED = 5000;

/** What an ended firing leaves behind, so that its messages are known also after a restart. */
export interface Trace {
  firing: string;
  deeds: number;
  /** Of its event. */
  depth: number;
  /** The correlation that the mesh made up for it. */
  own: string | null;
}

/** The firing journal: bounded, in the store. What one turn of the event loop brings is written in one transaction. */
export interface FiringJournal {
  /** Tells the firings of this store from those of another; the same as long as the store lives. */
  readonly epoch: string;
  nextSeq(): number;
  /** `onRecord` resolves when the intention is on disk; until then nothing of it may be done. It rejects when the disk refuses. */
  intend(intention: Intention): { bytes: number; onRecord: Promise<void> };
  /** `ends`: the intention that is over with it. */
  add(record: Omit<FiringRecord, 'seq'>, ends?: Intention): void;
  /** Intentions without an end, the oldest first. */
  unfinished(): Intention[];
  /** Whether the rule has fired for this event, in this life or an earlier one. */
  knows(rule: string, event: { from: string; id: string }): boolean;
  traces(): Trace[];
  /** Resolves when everything of this turn is on disk. */
  settled(): Promise<void>;
  /** The newest first. */
  last(limit: number): FiringRecord[];
  flush(): void;
  /** Records that were not written because a turn held too many of them. */
  readonly omitted: number;
}

interface Batch {
  intentions: { seq: number; event: string; rule: string; body: Uint8Array }[];
  records: { record: Omit<FiringRecord, 'seq'>; ends: Intention | undefined }[];
  written: Promise<void>;
  done: (error?: unknown) => void;
}

const nameOf = ({ from, id }: { from: string; id: string }): string => `${from} ${id}`;

export function createFiringJournal(ctx: KernelContext, onError: (error: unknown) => void): FiringJournal {
  const { store } = ctx;
  const { db } = store;
  const sql = {
    intend: db.prepare('INSERT INTO intended (seq, event, rule, intention) VALUES (?, ?, ?, ?)'),
    end: db.prepare('DELETE FROM intended WHERE seq = ?'),
    insert: db.prepare(
      'INSERT INTO fired (record, event, rule, firing, deeds, depth, own) VALUES (?, ?, ?, ?, ?, ?, ?)',
    ),
    trim: db.prepare('DELETE FROM fired WHERE seq <= (SELECT max(seq) FROM fired) - ?'),
    known: db.prepare(
      `SELECT 1 FROM intended WHERE event = ?1 AND rule = ?2
       UNION ALL SELECT 1 FROM fired WHERE event = ?1 AND rule = ?2 AND firing IS NOT NULL LIMIT 1`,
    ),
  };
  let epoch = store.get<string>('epoch');
  if (epoch === undefined) {
    epoch = Math.floor(ctx.clock.wallMs()).toString(36);
    store.set('epoch', epoch);
  }
  const { last: lastSeq } = db
    .prepare("SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'intended'), 0) AS last")
    .get() as { last: number };
  let seq = lastSeq;
  let batch: Batch | undefined;
  let soon: NodeJS.Immediate | undefined;
  let omitted = 0;

  const write = ({ intentions, records }: Batch): void =>
    store.transaction(() => {
      for (const { seq: one, event, rule, body } of intentions) sql.intend.run(one, event, rule, body);
      for (const { record, ends } of records) {
        const { rule, event, from, firing, depth } = record;
        const own = ends?.isOwn ? ends.correlation : null;
        const name = nameOf({ from, id: event });
        sql.insert.run(JSON.stringify(record), name, rule, firing, ends?.deeds.length ?? 0, depth, own);
        if (ends) sql.end.run(ends.seq);
      }
      if (records.length > 0) sql.trim.run(RECORDS_MAX);
    });

  const flush = (): void => {
    clearImmediate(soon);
    soon = undefined;
    if (!batch) return;
    const full = batch;
    batch = undefined;
    try {
      write(full);
      full.done();
    } catch (error) {
      full.done(error);
      throw error;
    }
  };

  const open = (): Batch => {
    if (batch) return batch;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    // Whoever waits for it hears of it; where nobody does, `onError` has it.
    promise.catch(() => {});
    soon = setImmediate(() => {
      try {
        flush();
      } catch (error) {
        onError(error);
      }
    });
    batch = { intentions: [], records: [], written: promise, done: (error) => (error ? reject(error) : resolve()) };
    return batch;
  };

  return {
    epoch,
    nextSeq: () => ++seq,
    intend(intention) {
      const { seq: one, rule, event } = intention;
      if (one === 0) return { bytes: 0, onRecord: Promise.resolve() };
      const body = serialize(intention);
      const { intentions, written } = open();
      intentions.push({ seq: one, event: nameOf(event), rule, body });
      return { bytes: body.length, onRecord: written };
    },
    add(record, ends) {
      const { records } = open();
      if (records.length >= BATCH_MAX && !ends) omitted++;
      else records.push({ record, ends });
    },
    unfinished() {
      const rows = db.prepare('SELECT intention FROM intended ORDER BY seq').all() as { intention: Uint8Array }[];
      return rows.map(({ intention }) => ({ ...(deserialize(intention) as Intention), isRepeat: true }));
    },
    knows: (rule, event) => sql.known.get(nameOf(event), rule) !== undefined,
    traces: () =>
      db
        .prepare(
          `SELECT firing, deeds, depth, own FROM (SELECT * FROM fired WHERE firing IS NOT NULL ORDER BY seq DESC LIMIT ${TRACED}) ORDER BY seq`,
        )
        .all() as unknown as Trace[],
    settled: () => batch?.written ?? Promise.resolve(),
    last(limit) {
      flush();
      const rows = db.prepare('SELECT seq, record FROM fired ORDER BY seq DESC LIMIT ?').all(limit);
      return (rows as { seq: number; record: string }[]).map(({ seq: one, record }) => ({
        seq: one,
        ...JSON.parse(record),
      }));
    },
    flush,
    get omitted() {
      return omitted;
    },
  };
}
