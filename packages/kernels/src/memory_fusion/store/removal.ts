import type { SQLInputValue } from 'node:sqlite';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { KernelStore } from '@grace/kernel-sdk';
import type { VectorCache } from './vector-cache.ts';
import { wordColumns } from './word-columns.ts';

/** Rows of one transaction: the event loop turns in between, so heartbeat and other verbs go on. */
const BATCH = 200;

export type Removal = ReturnType<typeof createRemoval>;

/**
 * Forgetting in two steps: one transaction says who leaves, and from then on none of them is found, whatever happens; then they are wiped,
 * a batch at a time, from text, full text and vectors. A kill in between leaves the second step to the next start.
 */
export function createRemoval(store: KernelStore, caches: readonly VectorCache[]) {
  const { db } = store;
  const sql = {
    row: db.prepare('SELECT rowid, namespace, text, tags FROM memory WHERE rowid = ?'),
    next: db.prepare(
      `SELECT m.rowid AS rowid, m.namespace AS namespace, m.text AS text, m.tags AS tags FROM leaving l JOIN memory m ON m.rowid = l.rowid LIMIT ${BATCH}`,
    ),
    deleteWords: db.prepare("INSERT INTO memory_words (memory_words, rowid, words, tags) VALUES ('delete', ?, ?, ?)"),
    hasWords: db.prepare('SELECT 1 FROM memory_words_docsize WHERE id = ?'),
    delete: db.prepare('DELETE FROM memory WHERE rowid = ?'),
  };
  for (const statement of [sql.deleteWords, sql.delete]) statement.setReadBigInts(true);
  interface Row {
    rowid: number;
    namespace: string;
    text: string;
    tags: string;
  }
  let wiping: Promise<void> | undefined;

  /** Inside a transaction. What it returns is to be done after the commit. */
  const wipeRow = ({ rowid, namespace, text, tags }: Row): (() => void) => {
    if (sql.hasWords.get(rowid)) sql.deleteWords.run(rowid, ...wordColumns(text, JSON.parse(tags) as string[]));
    // Vectors, links and the mark of leaving go with it, by their foreign keys.
    sql.delete.run(rowid);
    return () => {
      for (const cache of caches) cache.remove(namespace, rowid);
    };
  };

  const wipeAll = async (): Promise<void> => {
    for (let rows = sql.next.all(); rows.length > 0; rows = sql.next.all()) {
      const after = store.transaction(() => (rows as unknown as Row[]).map(wipeRow));
      for (const step of after) step();
      await nextTurn();
    }
  };

  return {
    /** Inside a transaction: wipes one at once. */
    wipe: (rowid: number): (() => void) => wipeRow(sql.row.get(rowid) as unknown as Row),
    /** From now on nothing of what `where` selects is found; returns how many that are. They are wiped by `finish`. */
    leave(where: string, values: readonly SQLInputValue[]): number {
      const mark = db.prepare(
        `INSERT INTO leaving SELECT rowid FROM memory WHERE rowid IN (SELECT rowid FROM memory WHERE ${where})
         AND rowid NOT IN (SELECT rowid FROM leaving)`,
      );
      return Number(store.transaction(() => mark.run(...values).changes));
    },
    /** Resolves when all that leave are wiped. */
    finish(): Promise<void> {
      wiping ??= wipeAll().finally(() => {
        wiping = undefined;
      });
      return wiping;
    },
    /** Takes wiped rows out of the write-ahead log too; `rewrite`: writes the whole file anew, so that no page keeps what once stood in it. */
    scrub(rewrite: boolean): void {
      if (rewrite) db.exec('VACUUM');
      db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    },
  };
}
