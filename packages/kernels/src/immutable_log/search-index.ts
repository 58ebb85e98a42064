import { rmSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import type { KernelStore } from '@grace/kernel-sdk';
import { GENESIS_HASH, type Ledger } from '@grace/ledger';
import { type AuditRecord, decodeRecord, digestOf } from './entry.ts';

export interface SearchTerms {
  actor: string | undefined;
  action: string | undefined;
  resource: string | undefined;
  subsystem: string | undefined;
  fromMs: number | undefined;
  toMs: number | undefined;
  /** Words that all occur, anywhere in the entry. */
  text: string | undefined;
  beforeSeq: number | undefined;
  limit: number;
}

/** Of an entry that was appended under a key. */
export interface KeptKey {
  seq: number;
  hash: string;
  digest: string;
}

const TABLES = `
  CREATE TABLE entries (
    seq INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, hash TEXT NOT NULL,
    actor TEXT NOT NULL, action TEXT NOT NULL, resource TEXT NOT NULL, subsystem TEXT NOT NULL
  );
  CREATE INDEX entries_at ON entries (at_ms);
  CREATE INDEX entries_actor ON entries (actor);
  CREATE INDEX entries_action ON entries (action);
  CREATE INDEX entries_resource ON entries (resource);
  CREATE INDEX entries_subsystem ON entries (subsystem);
  CREATE TABLE keys (actor TEXT, key TEXT, seq INTEGER NOT NULL, digest TEXT NOT NULL, PRIMARY KEY (actor, key)) WITHOUT ROWID;
  CREATE VIRTUAL TABLE words USING fts5 (body, content = '');
`;
const CLEAR = `DELETE FROM entries; DELETE FROM keys; INSERT INTO words (words) VALUES ('delete-all')`;
/** Records of one transaction; between two the thread is free. */
const SLICE = 200;
/** SQLite's result codes for a file that is damaged, or no database. */
const DAMAGED = [11, 26];

/**
 * Finds records by what they say. It is derived: it is made again from the ledger when it is missing, damaged, or of another ledger. It
 * only says where to look; what is answered is read from the ledger.
 */
export class SearchIndex {
  /** Why it was made again in this incarnation. */
  readonly rebuilt: 'damaged' | 'not of this ledger' | null;
  readonly #store: KernelStore;
  readonly #ledger: Ledger;
  #indexed: { seq: number; hash: string };
  #catching: Promise<void> | null = null;
  #ended = false;

  private constructor(
    store: KernelStore,
    ledger: Ledger,
    indexed: { seq: number; hash: string },
    rebuilt: SearchIndex['rebuilt'],
  ) {
    this.#store = store;
    this.#ledger = ledger;
    this.#indexed = indexed;
    this.rebuilt = rebuilt;
  }

  static async open(store: KernelStore, ledger: Ledger): Promise<SearchIndex> {
    const wasDamaged = prepare(store);
    const indexed = store.get<{ seq: number; hash: string }>('indexed') ?? { seq: 0, hash: GENESIS_HASH };
    if (await isOf(ledger, indexed)) return new SearchIndex(store, ledger, indexed, wasDamaged ? 'damaged' : null);
    store.transaction(() => {
      store.db.exec(CLEAR);
      store.delete('indexed');
    });
    return new SearchIndex(store, ledger, { seq: 0, hash: GENESIS_HASH }, 'not of this ledger');
  }

  /** The newest record it knows. */
  get seq(): number {
    return this.#indexed.seq;
  }

  /** Takes in what the ledger has and the index has not, in slices. */
  catchUp(): Promise<void> {
    return this.#catching ?? this.#catch(() => this.#takeIn());
  }

  /** After a repair: what was read while its files were moved may have passed over records that are there, and then it begins anew. */
  followRepair(): Promise<void> {
    const before = this.#catching;
    this.forgetMissing();
    return this.#catch(async () => {
      await before?.catch(() => undefined);
      if (this.#ended) return;
      this.forgetMissing();
      if (this.#passedOver()) this.#clear();
      await this.#takeIn();
    });
  }

  #catch(work: () => Promise<void>): Promise<void> {
    const catching = work().finally(() => {
      if (this.#catching === catching) this.#catching = null;
    });
    this.#catching = catching;
    return catching;
  }

  #passedOver(): boolean {
    const { seq } = this.#indexed;
    const row = this.#store.db.prepare('SELECT count(*) AS known FROM entries WHERE seq <= ?').get(seq);
    let lost = 0;
    let end = 0;
    for (const { from, to } of this.#ledger.missing) {
      lost += Math.max(0, Math.min(to, seq) - Math.max(from, end + 1) + 1);
      end = Math.max(end, to);
    }
    return Number(row!['known']) + lost < seq;
  }

  #clear(): void {
    this.#store.transaction(() => {
      this.#store.db.exec(CLEAR);
      this.#store.delete('indexed');
    });
    this.#indexed = { seq: 0, hash: GENESIS_HASH };
  }

  /** Seqs, the newest first. */
  search(terms: SearchTerms): number[] {
    const conditions: string[] = [];
    const values: (string | number)[] = [];
    const where = (condition: string, value: string | number | undefined): void => {
      if (value === undefined) return;
      conditions.push(condition);
      values.push(value);
    };
    for (const column of ['actor', 'action', 'resource', 'subsystem'] as const) where(`${column} = ?`, terms[column]);
    where('at_ms >= ?', terms.fromMs);
    where('at_ms <= ?', terms.toMs);
    where('seq < ?', terms.beforeSeq);
    where('seq IN (SELECT rowid FROM words WHERE words MATCH ?)', terms.text && phrases(terms.text));
    const filter = conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : '';
    const statement = this.#store.db.prepare(`SELECT seq FROM entries ${filter} ORDER BY seq DESC LIMIT ?`);
    return statement.all(...values, terms.limit).map((row) => Number(row['seq']));
  }

  key(actor: string, key: string): KeptKey | undefined {
    const row = this.#store.db
      .prepare('SELECT seq, hash, digest FROM keys JOIN entries USING (seq) WHERE keys.actor = ? AND key = ?')
      .get(actor, key);
    return row as KeptKey | undefined;
  }

  /** Leaves out what was lost with a sealed epoch. */
  forgetMissing(): void {
    const forget = this.#store.db.prepare('DELETE FROM entries WHERE seq BETWEEN ? AND ?');
    this.#store.transaction(() => {
      for (const { from, to } of this.#ledger.missing) forget.run(from, to);
    });
  }

  async close(): Promise<void> {
    this.#ended = true;
    await this.#catching?.catch(() => undefined);
  }

  async #takeIn(): Promise<void> {
    while (this.#indexed.seq < this.#ledger.last.seq && !this.#ended) {
      const slice: AuditRecord[] = [];
      const from = this.#firstReadable(this.#indexed.seq + 1);
      for await (const record of this.#ledger.read(from, SLICE)) slice.push(decodeRecord(record));
      const newest = slice.at(-1);
      if (!newest || this.#ended) return;
      const indexed = { seq: newest.seq, hash: newest.hash };
      this.#store.transaction(() => {
        const insert = this.#inserter();
        for (const record of slice) insert(record);
        this.#store.set('indexed', indexed);
      });
      this.#indexed = indexed;
      await turn();
    }
  }

  #firstReadable(seq: number): number {
    let first = seq;
    for (const { from, to } of this.#ledger.missing) if (from <= first && first <= to) first = to + 1;
    return first;
  }

  #inserter(): (record: AuditRecord) => void {
    const { db } = this.#store;
    const entries = db.prepare(
      'INSERT INTO entries (seq, at_ms, hash, actor, action, resource, subsystem) VALUES (?, ?, ?, ?, ?, ?, ?)',
    );
    const words = db.prepare('INSERT INTO words (rowid, body) VALUES (?, ?)');
    const keys = db.prepare('INSERT OR IGNORE INTO keys (actor, key, seq, digest) VALUES (?, ?, ?, ?)');
    return (record) => {
      const { seq, atMs, hash, actor, action, resource, subsystem, outcome, by, payload, idempotencyKey } = record;
      entries.run(seq, atMs, hash, actor, action, resource, subsystem);
      const said = payload === undefined ? '' : JSON.stringify(payload);
      words.run(seq, [actor, action, resource, subsystem, outcome, by, said].join(' '));
      if (idempotencyKey !== undefined) keys.run(actor, idempotencyKey, seq, digestOf(record));
    };
  }
}

/** Makes the tables; a damaged file is put aside for a new one. Returns whether that was needed. */
function prepare(store: KernelStore): boolean {
  const open = () => {
    store.migrate([TABLES]);
    // What a power loss takes from the index is taken in again from the ledger.
    store.db.exec('PRAGMA synchronous = NORMAL');
  };
  try {
    open();
    return false;
  } catch (error) {
    const { errcode } = error as { errcode?: number };
    if (errcode === undefined || !DAMAGED.includes(errcode & 0xff)) throw error;
    store.close();
    for (const suffix of ['', '-wal', '-shm']) rmSync(`${store.path}${suffix}`, { force: true });
    open();
    return true;
  }
}

async function isOf(ledger: Ledger, indexed: { seq: number; hash: string }): Promise<boolean> {
  if (indexed.seq === 0) return true;
  for await (const { hash } of ledger.read(indexed.seq, 1)) return hash === indexed.hash;
  return false;
}

/** Each word as a phrase of its own, so that no character of it is taken for query syntax. */
function phrases(text: string): string {
  const words = text.split(/\s+/).filter((word) => word !== '');
  return words.map((word) => `"${word.replaceAll('"', '""')}"`).join(' ');
}
