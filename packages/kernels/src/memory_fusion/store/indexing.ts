import { setImmediate as nextTurn } from 'node:timers/promises';
import type { KernelStore } from '@grace/kernel-sdk';
import type { Embedder } from '../words/embedder.ts';
import type { VectorCache } from './vector-cache.ts';
import { encodeVector } from './vector-code.ts';
import { wordColumns } from './word-columns.ts';

/** Memories looked at in one turn of the event loop, about 5 ms; and made anew in one transaction. */
const LOOKED_AT = 1000;
const MADE = 100;
/** Which embedder made the vectors of the store. */
const EMBEDDER_KEY = 'embedder';

/** Full text and vectors follow from the memories. After each start all are looked at beside the work, and what is missing is made. */
export function createIndexing(store: KernelStore, embedder: Embedder, cache: VectorCache) {
  const { db } = store;
  const sql = {
    last: db.prepare('SELECT max(rowid) AS last FROM memory'),
    missing: db.prepare(
      `SELECT m.rowid AS rowid, m.namespace AS namespace, d.id IS NULL AS words, v.rowid IS NULL AS vector
       FROM memory m LEFT JOIN memory_words_docsize d ON d.id = m.rowid LEFT JOIN memory_vector v ON v.rowid = m.rowid
       WHERE m.rowid > ? AND m.rowid <= ? AND (d.id IS NULL OR v.rowid IS NULL) ORDER BY m.rowid LIMIT ${MADE}`,
    ),
    read: db.prepare('SELECT text, tags FROM memory WHERE rowid = ?'),
    insertWords: db.prepare('INSERT INTO memory_words (rowid, words, tags) VALUES (?, ?, ?)'),
    insertVector: db.prepare('INSERT INTO memory_vector (rowid, vector) VALUES (?, ?)'),
  };
  for (const statement of [sql.insertWords, sql.insertVector]) statement.setReadBigInts(true);
  let complete = false;

  interface Missing {
    rowid: number;
    namespace: string;
    words: number;
    vector: number;
  }
  const make = ({ rowid, words, vector }: Missing): void => {
    const { text, tags } = sql.read.get(rowid) as { text: string; tags: string };
    if (words) sql.insertWords.run(rowid, ...wordColumns(text, JSON.parse(tags) as string[]));
    if (vector) sql.insertVector.run(rowid, encodeVector(embedder.embed(text)));
  };

  return {
    /** Whether every memory has been looked at since the start. */
    get complete() {
      return complete;
    },
    /** Vectors of another embedder cannot be compared with those of this one, so they go. Returns whether there were such. */
    begin(): boolean {
      if (store.get(EMBEDDER_KEY) === embedder.id) return false;
      store.transaction(() => {
        db.exec('DELETE FROM memory_vector');
        store.set(EMBEDDER_KEY, embedder.id);
      });
      return sql.last.get()!['last'] !== null;
    },
    /** Looks at all that was there at its begin; returns how many memories it made words or a vector for. */
    async complement(signal: AbortSignal): Promise<number> {
      const last = Number(sql.last.get()!['last'] ?? 0);
      const changed = new Set<string>();
      let made = 0;
      for (let after = 0; after < last && !signal.aborted; await nextTurn()) {
        const missing = sql.missing.all(after, Math.min(last, after + LOOKED_AT)) as unknown as Missing[];
        if (missing.length > 0) store.transaction(() => missing.forEach(make));
        for (const { namespace } of missing) changed.add(namespace);
        made += missing.length;
        after = missing.length === MADE ? missing.at(-1)!.rowid : after + LOOKED_AT;
      }
      for (const namespace of changed) cache.drop(namespace);
      if (!signal.aborted) complete = true;
      return made;
    },
  };
}
