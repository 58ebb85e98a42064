import type { KernelStore } from '@grace/kernel-sdk';

/** Memories whose words and vectors are looked up at each probe: the newest, and as many from anywhere. */
const SAMPLE = 100;

export type Census = ReturnType<typeof createCensus>;

/** Counts what is kept. */
export function createCensus({ db }: KernelStore) {
  const sql = {
    namespaces: db.prepare('SELECT DISTINCT namespace FROM memory'),
    byKind: db.prepare(
      `SELECT namespace, kind, count(*) AS n FROM memory m WHERE NOT EXISTS (SELECT 1 FROM leaving l WHERE l.rowid = m.rowid)
       GROUP BY namespace, kind ORDER BY namespace, kind`,
    ),
    of: db.prepare('SELECT count(*) AS n FROM memory WHERE namespace = ?'),
    leaving: db.prepare(
      'SELECT count(*) AS n FROM leaving JOIN memory m ON m.rowid = leaving.rowid WHERE m.namespace = ?',
    ),
    last: db.prepare('SELECT max(rowid) AS last FROM memory'),
    incomplete: db.prepare(
      `SELECT count(*) AS looked, sum(d.id IS NULL) AS words, sum(v.rowid IS NULL) AS vectors
       FROM (SELECT rowid FROM memory WHERE rowid > ? ORDER BY rowid LIMIT ${SAMPLE}) m
       LEFT JOIN memory_words_docsize d ON d.id = m.rowid LEFT JOIN memory_vector v ON v.rowid = m.rowid`,
    ),
  };
  const number = (row: unknown): number => Number((row as { n: number }).n);
  const count = (from: string): number => number(db.prepare(`SELECT count(*) AS n FROM ${from}`).get());
  return {
    namespaces: (): string[] => sql.namespaces.all().map((row) => String(row['namespace'])),
    count: (namespace: string): number => number(sql.of.get(namespace)) - number(sql.leaving.get(namespace)),
    byKind(): Record<string, Record<string, number>> {
      const found: Record<string, Record<string, number>> = {};
      for (const { namespace, kind, n } of sql.byKind.all() as { namespace: string; kind: string; n: number }[])
        found[namespace] = { ...found[namespace], [kind]: n };
      return found;
    },
    totals: () => ({
      memories: count('memory') - count('leaving'),
      vectors: count('memory_vector') - count('leaving'),
      links: count('link'),
    }),
    /** Of the newest and of some others, how many lack their words or their vector. `at`: 0 to 1, where the others are taken from. */
    incomplete(at: number): { looked: number; words: number; vectors: number } {
      const last = Number(sql.last.get()!['last'] ?? 0);
      const found = { looked: 0, words: 0, vectors: 0 };
      for (const after of new Set([Math.max(0, last - SAMPLE), Math.floor(last * at)])) {
        const row = sql.incomplete.get(after) as { looked: number; words: number | null; vectors: number | null };
        found.looked += row.looked;
        found.words += row.words ?? 0;
        found.vectors += row.vectors ?? 0;
      }
      return found;
    },
  };
}
