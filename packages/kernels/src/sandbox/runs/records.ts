import type { KernelStore } from '@grace/kernel-sdk';
import type { Ending, Run, RunKind, RunState } from './run.ts';

export const RUN_TABLES = `
  CREATE TABLE runs (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, asker TEXT NOT NULL, hash TEXT NOT NULL,
    what TEXT NOT NULL, state TEXT NOT NULL, limits TEXT NOT NULL, isolation TEXT NOT NULL, asked_ms INTEGER NOT NULL, started_ms INTEGER,
    ended_ms INTEGER, exit_code INTEGER, signal TEXT, output_bytes INTEGER NOT NULL DEFAULT 0, truncated INTEGER NOT NULL DEFAULT 0,
    error TEXT, pid INTEGER, pid_start INTEGER
  );
  CREATE INDEX unfinished ON runs (state) WHERE state IN ('queued', 'running');
`;

const COLUMNS =
  'id, kind, asker AS by, hash, what, state, limits, isolation, asked_ms AS askedMs, started_ms AS startedMs, ended_ms AS endedMs, exit_code AS exitCode, signal, output_bytes AS outputBytes, truncated AS isTruncated, error';
const ERROR_LENGTH = 500;
/** Old records are looked for once in so many new ones. */
const PRUNE_EVERY = 50;

/** A run that a life before has begun and not ended. Null: its process was not recorded. */
export interface Unfinished {
  id: string;
  kind: RunKind;
  pid: number | null;
  pidStart: number | null;
}

export type Records = ReturnType<typeof createRecords>;

/** The runs in the store. Each is there before anything of it runs. */
export function createRecords(store: KernelStore, runsKept: number) {
  const { db } = store;
  const sql = {
    begin: db.prepare(
      'INSERT INTO runs (id, kind, asker, hash, what, state, limits, isolation, asked_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING',
    ),
    started: db.prepare("UPDATE runs SET state = 'running', started_ms = ? WHERE id = ?"),
    process: db.prepare('UPDATE runs SET pid = ?, pid_start = ? WHERE id = ?'),
    end: db.prepare(
      "UPDATE runs SET state = ?, ended_ms = ?, exit_code = ?, signal = ?, output_bytes = ?, truncated = ?, error = ? WHERE id = ? AND state IN ('queued', 'running')",
    ),
    unfinished: db.prepare(
      "SELECT id, kind, pid, pid_start AS pidStart FROM runs WHERE state IN ('queued', 'running') ORDER BY seq",
    ),
    one: db.prepare(`SELECT ${COLUMNS} FROM runs WHERE id = ?`),
    list: db.prepare(
      `SELECT ${COLUMNS} FROM runs WHERE (?1 IS NULL OR kind = ?1) AND (?2 IS NULL OR state = ?2) ORDER BY seq DESC LIMIT ?3`,
    ),
    ids: db.prepare('SELECT id FROM runs ORDER BY seq DESC LIMIT 200'),
    counts: db.prepare('SELECT state, count(*) AS runs FROM runs GROUP BY state'),
    prune: db.prepare(
      "DELETE FROM runs WHERE state NOT IN ('queued', 'running') AND seq <= (SELECT seq FROM runs ORDER BY seq DESC LIMIT 1 OFFSET ?)",
    ),
  };
  let sincePrune = PRUNE_EVERY;

  return {
    /** False: there is a run with this id. */
    begin(run: Pick<Run, 'id' | 'kind' | 'by' | 'hash' | 'what' | 'limits' | 'isolation' | 'askedMs'>): boolean {
      if (++sincePrune > PRUNE_EVERY) {
        sincePrune = 0;
        sql.prune.run(runsKept);
      }
      const { id, kind, by, hash, what, limits, isolation, askedMs } = run;
      const texts = [JSON.stringify(limits), JSON.stringify(isolation)] as const;
      return sql.begin.run(id, kind, by, hash, what, 'queued', ...texts, askedMs).changes === 1;
    },
    started: (id: string, nowMs: number): void => void sql.started.run(nowMs, id),
    /** @param pidStart field 22 of /proc/<pid>/stat: with it the pid is nobody else's */
    process: (id: string, pid: number, pidStart: number | null): void => void sql.process.run(pid, pidStart, id),
    end(id: string, nowMs: number, ending: Ending): void {
      const { state, exitCode = null, signal = null, outputBytes = 0, isTruncated = false, error = null } = ending;
      sql.end.run(
        ...[state, nowMs, exitCode, signal, outputBytes],
        ...[isTruncated ? 1 : 0, error === null ? null : error.slice(0, ERROR_LENGTH), id],
      );
    },
    unfinished: () => sql.unfinished.all() as unknown as Unfinished[],
    one(id: string): Run | undefined {
      const row = sql.one.get(id);
      return row && shaped(row);
    },
    list: (filter: { kind?: RunKind | undefined; state?: RunState | undefined; limit: number }): Run[] =>
      sql.list.all(filter.kind ?? null, filter.state ?? null, filter.limit).map(shaped),
    ids: (): string[] => (sql.ids.all() as { id: string }[]).map(({ id }) => id),
    counts: (): Record<string, number> =>
      Object.fromEntries(
        (sql.counts.all() as { state: string; runs: number }[]).map(({ state, runs }) => [state, runs]),
      ),
  };
}

function shaped(row: Record<string, unknown>): Run {
  return {
    ...(row as unknown as Run),
    limits: JSON.parse(row['limits'] as string),
    isolation: JSON.parse(row['isolation'] as string),
    isTruncated: row['isTruncated'] === 1,
  };
}
