import type { StatementSync } from 'node:sqlite';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { GraceError } from '@grace/contracts';
import type { KernelStore } from '@grace/kernel-sdk';
import type { Embedder } from '../words/embedder.ts';
import { contentWords } from '../words/words.ts';
import type { Kind, Memory } from './memory.ts';
import { migrations } from './schema.ts';
import type { VectorCache } from './vector-cache.ts';

/** Rows of one transaction when many are removed: the event loop turns in between, so heartbeat and other verbs go on. */
const BATCH = 200;

export interface MemoryLink {
  relation: string;
  direction: 'to' | 'from';
  id: string;
}

/** Explicit fields of a known memory replace those stored; the text never changes, since it makes the id. */
export type Remembered = Memory & { given: { kind: boolean; trust: boolean; tags: boolean; atMs: boolean } };

export type Memories = ReturnType<typeof openMemories>;

/** The tables of memory_fusion: writes keep text, full-text index, vectors and the vectors in memory together. */
export function openMemories(store: KernelStore, embedder: Embedder, cache: VectorCache) {
  store.migrate(migrations);
  const { db } = store;
  const write = (statement: string): StatementSync => {
    const prepared = db.prepare(statement);
    // A delete in a contentless full-text table leaves one of its internal row numbers, beyond 2^53, as SQLite's last insert id.
    prepared.setReadBigInts(true);
    return prepared;
  };
  const sql = {
    rowOf: db.prepare('SELECT rowid FROM memory WHERE id = ?'),
    insert: db.prepare(
      'INSERT INTO memory (id, namespace, kind, source, text, trust, tags, at_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING rowid',
    ),
    update: write(
      'UPDATE memory SET kind = coalesce(?, kind), trust = coalesce(?, trust), tags = coalesce(?, tags), at_ms = coalesce(?, at_ms) WHERE rowid = ?',
    ),
    insertWords: write('INSERT INTO memory_words (rowid, words, tags) VALUES (?, ?, ?)'),
    deleteWords: write('DELETE FROM memory_words WHERE rowid = ?'),
    insertVector: write('INSERT OR REPLACE INTO memory_vector (rowid, embedder, vector) VALUES (?, ?, ?)'),
    delete: write('DELETE FROM memory WHERE rowid = ?'),
    read: db.prepare(
      'SELECT id, namespace, kind, source, text, trust, tags, at_ms AS atMs FROM memory WHERE rowid = ?',
    ),
    link: write('INSERT OR IGNORE INTO link (from_row, to_row, relation) VALUES (?, ?, ?)'),
    links: db.prepare(
      `SELECT relation, 'to' AS direction, m.id AS id FROM link JOIN memory m ON m.rowid = to_row WHERE from_row = ?
       UNION ALL SELECT relation, 'from', m.id FROM link JOIN memory m ON m.rowid = from_row WHERE to_row = ? LIMIT 20`,
    ),
    expired: db.prepare('SELECT rowid, namespace FROM memory WHERE namespace = ? AND at_ms < ? ORDER BY at_ms LIMIT ?'),
    oldest: db.prepare('SELECT rowid, namespace FROM memory WHERE namespace = ? ORDER BY at_ms, rowid LIMIT ?'),
    count: db.prepare('SELECT count(*) AS n FROM memory WHERE namespace = ?'),
    stale: db.prepare(
      `SELECT m.rowid AS rowid, m.text AS text FROM memory m
       WHERE m.rowid NOT IN (SELECT rowid FROM memory_vector WHERE embedder = ?) AND m.rowid > ? ORDER BY m.rowid LIMIT ?`,
    ),
  };
  const rowOf = (id: string): number | undefined => (sql.rowOf.get(id) as { rowid: number } | undefined)?.rowid;
  const bytes = (vector: Float32Array): Uint8Array =>
    new Uint8Array(vector.buffer, vector.byteOffset, vector.byteLength);

  const insert = (memory: Remembered, vector: Float32Array): number => {
    const { id, namespace, kind, source, text, trust, tags, atMs } = memory;
    const { rowid } = sql.insert.get(id, namespace, kind, source, text, trust, JSON.stringify(tags), atMs) as {
      rowid: number;
    };
    sql.insertWords.run(rowid, contentWords(text).join(' '), contentWords(tags.join(' ')).join(' '));
    sql.insertVector.run(rowid, embedder.id, bytes(vector));
    return rowid;
  };

  const amend = (rowid: number, memory: Remembered): void => {
    const { given } = memory;
    if (!Object.values(given).some(Boolean)) return;
    sql.update.run(
      given.kind ? memory.kind : null,
      given.trust ? memory.trust : null,
      given.tags ? JSON.stringify(memory.tags) : null,
      given.atMs ? memory.atMs : null,
      rowid,
    );
    if (!given.tags) return;
    sql.deleteWords.run(rowid);
    sql.insertWords.run(rowid, contentWords(memory.text).join(' '), contentWords(memory.tags.join(' ')).join(' '));
  };

  const removeRows = (rows: { rowid: number; namespace: string }[]): void => {
    store.transaction(() => {
      for (const { rowid } of rows) {
        sql.deleteWords.run(rowid);
        sql.delete.run(rowid);
      }
    });
    for (const { rowid, namespace } of rows) cache.remove(namespace, rowid);
  };

  return {
    /** All of them in one transaction: with one flush to disk, or none is kept. `known` in the order given. */
    remember(memories: readonly Remembered[]): { id: string; known: boolean }[] {
      const fresh: { memory: Remembered; rowid: number; vector: Float32Array }[] = [];
      const amended: { memory: Remembered; rowid: number }[] = [];
      const results = store.transaction(() =>
        memories.map((memory) => {
          const rowid = rowOf(memory.id);
          if (rowid === undefined) {
            const vector = embedder.embed(memory.text);
            fresh.push({ memory, vector, rowid: insert(memory, vector) });
          } else {
            amend(rowid, memory);
            if (memory.given.kind) amended.push({ memory, rowid });
          }
          return { id: memory.id, known: rowid !== undefined };
        }),
      );
      for (const { memory, rowid, vector } of fresh) cache.add(memory.namespace, rowid, memory.kind, vector);
      for (const { memory, rowid } of amended) cache.setKind(memory.namespace, rowid, memory.kind);
      return results;
    },
    read(rowid: number): Memory | undefined {
      const row = sql.read.get(rowid) as (Omit<Memory, 'tags' | 'kind'> & { tags: string; kind: Kind }) | undefined;
      return row && { ...row, tags: JSON.parse(row.tags) as string[] };
    },
    links: (rowid: number): MemoryLink[] =>
      sql.links.all(rowid, rowid).map((row) => ({ ...row }) as unknown as MemoryLink),
    /** @throws GraceError `NOT_FOUND` when either memory does not exist */
    link(from: string, to: string, relation: string): { known: boolean } {
      const rows = [from, to].map((id) => {
        const rowid = rowOf(id);
        if (rowid === undefined) throw new GraceError('NOT_FOUND', `no memory has the id "${id}"`, { id });
        return rowid;
      });
      return { known: sql.link.run(rows[0]!, rows[1]!, relation).changes === 0n };
    },
    count: (namespace: string): number => (sql.count.get(namespace) as { n: number }).n,
    /** Removes what `where` selects, a batch at a time; returns how many were removed. */
    async removeWhere(where: string, values: (string | number)[]): Promise<number> {
      const select = db.prepare(`SELECT rowid, namespace FROM memory WHERE ${where} LIMIT ${BATCH}`);
      return removeBatches(() => select.all(...values));
    },
    removeOlder: (namespace: string, beforeMs: number): Promise<number> =>
      removeBatches(() => sql.expired.all(namespace, beforeMs, BATCH)),
    removeOldest(namespace: string, count: number): Promise<number> {
      let left = count;
      return removeBatches(() => {
        const rows = left > 0 ? sql.oldest.all(namespace, Math.min(left, BATCH)) : [];
        left -= rows.length;
        return rows;
      });
    },
    /** Makes the vectors that are missing or come from another embedder; returns how many. */
    async embedStale(signal: AbortSignal): Promise<number> {
      let made = 0;
      let after = 0;
      while (!signal.aborted) {
        const rows = sql.stale.all(embedder.id, after, BATCH) as { rowid: number; text: string }[];
        if (rows.length === 0) break;
        store.transaction(() => {
          for (const { rowid, text } of rows) sql.insertVector.run(rowid, embedder.id, bytes(embedder.embed(text)));
        });
        after = rows.at(-1)!.rowid;
        made += rows.length;
        await nextTurn();
      }
      if (made > 0) cache.clear();
      return made;
    },
  };

  async function removeBatches(next: () => unknown[]): Promise<number> {
    let removed = 0;
    for (;;) {
      const rows = next() as { rowid: number; namespace: string }[];
      if (rows.length === 0) return removed;
      removeRows(rows);
      removed += rows.length;
      await nextTurn();
    }
  }
}
