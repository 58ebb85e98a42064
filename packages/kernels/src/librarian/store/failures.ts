import type { KernelStore } from '@grace/kernel-sdk';

/** Files that could not be read, at most; the oldest go first. */
const KEPT = 10_000;

export interface Failure {
  place: string;
  code: string;
  reason: string;
  atMs: number;
}

export type Failures = ReturnType<typeof openFailures>;

/** Files that were met and could not be read. */
export function openFailures({ db }: KernelStore) {
  const sql = {
    put: db.prepare(
      `INSERT INTO failure (namespace, place, code, reason, at_ms, stamp) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (namespace, place)
       DO UPDATE SET code = excluded.code, reason = excluded.reason, at_ms = excluded.at_ms, stamp = excluded.stamp`,
    ),
    trim: db.prepare(
      `DELETE FROM failure WHERE (namespace, place) IN (SELECT namespace, place FROM failure ORDER BY at_ms DESC LIMIT -1 OFFSET ${KEPT})`,
    ),
    stamp: db.prepare('SELECT stamp FROM failure WHERE namespace = ? AND place = ?'),
    remove: db.prepare('DELETE FROM failure WHERE namespace = ? AND place = ?'),
    under: db.prepare('SELECT place FROM failure WHERE namespace = ? AND substr(place, 1, length(?)) = ?'),
    newest: db.prepare(
      'SELECT place, code, reason, at_ms AS atMs FROM failure WHERE namespace = ? ORDER BY at_ms DESC, place LIMIT ?',
    ),
    count: db.prepare('SELECT count(*) AS n FROM failure'),
  };
  return {
    put(namespace: string, { place, code, reason, atMs }: Failure, stamp: string): void {
      sql.put.run(namespace, place, code, reason.slice(0, 1000).toWellFormed(), atMs, stamp);
      sql.trim.run();
    },
    /** The stamp of the file that could not be read; empty when there is none. */
    stampAt: (namespace: string, place: string): string => String(sql.stamp.get(namespace, place)?.['stamp'] ?? ''),
    remove: (namespace: string, place: string): void => void sql.remove.run(namespace, place),
    under: (namespace: string, prefix: string): string[] =>
      sql.under.all(namespace, prefix, prefix).map((row) => String(row['place'])),
    newest: (namespace: string, limit: number): Failure[] =>
      sql.newest.all(namespace, limit).map((row) => ({ ...row }) as unknown as Failure),
    count: (): number => Number(sql.count.get()!['n']),
  };
}
