import type { KernelStore } from '@grace/kernel-sdk';

/**
 * kept: everything afterwards is as it should be. broken: it is not. unknown: it could not be told. failed: the verb was not done, or did not
 * say that it was. not_done: what must be so before was not, so nothing was done. refused: the policies did not permit it.
 */
export type Outcome = 'kept' | 'broken' | 'unknown' | 'failed' | 'not_done' | 'refused';

/** checking: nothing was done yet. acting: the verb may have been called. */
type Phase = 'checking' | 'acting' | 'over';

export interface Run {
  id: string;
  by: string;
  kernel: string;
  verb: string;
  startedMs: number;
  endedMs: number | null;
  phase: Phase;
  outcome: Outcome | null;
  reason: string;
}

/** Runs of contracts, on disk before and after the verb is called: a crash in between leaves no run that looks well. */
export interface RunJournal {
  begin(run: Pick<Run, 'id' | 'by' | 'kernel' | 'verb' | 'startedMs'>): void;
  acting(id: string): void;
  end(id: string, outcome: Outcome, reason: string, atMs: number): void;
  /** Runs that the life before left open, now ended. */
  interrupted(atMs: number): number;
  /** The newest first. */
  list(limit: number): Run[];
}

export const RUN_TABLES = `
  CREATE TABLE run (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, by TEXT NOT NULL, kernel TEXT NOT NULL, verb TEXT NOT NULL,
    started_ms REAL NOT NULL, ended_ms REAL, phase TEXT NOT NULL, outcome TEXT, reason TEXT NOT NULL DEFAULT ''
  );
  CREATE INDEX run_open ON run (id) WHERE phase <> 'over';
`;

const KEPT_MAX = 10_000;

export function createRunJournal(store: KernelStore): RunJournal {
  const { db } = store;
  const insert = db.prepare(
    "INSERT INTO run (id, by, kernel, verb, started_ms, phase) VALUES (?, ?, ?, ?, ?, 'checking')",
  );
  const act = db.prepare("UPDATE run SET phase = 'acting' WHERE id = ?");
  const close = db.prepare("UPDATE run SET phase = 'over', outcome = ?, reason = ?, ended_ms = ? WHERE id = ?");
  const prune = db.prepare("DELETE FROM run WHERE phase = 'over' AND seq <= (SELECT max(seq) FROM run) - ?");
  const leave = db.prepare(`
    UPDATE run SET phase = 'over', ended_ms = ?1,
      outcome = CASE phase WHEN 'acting' THEN 'unknown' ELSE 'not_done' END,
      reason = CASE phase WHEN 'acting' THEN 'verification_framework ended in the middle: whether the verb was done is not known'
        ELSE 'verification_framework ended before the verb was called' END
    WHERE phase <> 'over'`);
  const newest = db.prepare(
    'SELECT id, by, kernel, verb, started_ms AS startedMs, ended_ms AS endedMs, phase, outcome, reason FROM run ORDER BY seq DESC LIMIT ?',
  );
  return {
    begin: ({ id, by, kernel, verb, startedMs }) =>
      store.transaction(() => void insert.run(id, by, kernel, verb, startedMs)),
    acting: (id) => store.transaction(() => void act.run(id)),
    end: (id, outcome, reason, atMs) =>
      store.transaction(() => {
        close.run(outcome, reason, atMs, id);
        prune.run(KEPT_MAX);
      }),
    interrupted: (atMs) => store.transaction(() => Number(leave.run(atMs).changes)),
    list: (limit) => newest.all(limit) as unknown as Run[],
  };
}
