import type { KernelStore } from '@grace/kernel-sdk';
import type { Job } from '../jobs/job.ts';

/**
 * running      an attempt is under way
 * retry        waits for its next attempt
 * queued       waits for the earlier run of its job
 * ok, failed   ended
 * interrupted  the process died in its last attempt
 * skipped      an earlier run had not ended
 * missed       passed while nobody could run it; stands for `count` due times
 */
export type RunState = 'running' | 'retry' | 'queued' | 'ok' | 'failed' | 'interrupted' | 'skipped' | 'missed';

export interface Run {
  seq: number;
  job: string;
  dueMs: number;
  kind: 'due' | 'manual';
  state: RunState;
  attempt: number;
  interruptions: number;
  claimedMs: number;
  endedMs: number | null;
  nextMs: number | null;
  count: number;
  error: string | null;
}

export const RUN_TABLES = `
  CREATE TABLE jobs (id TEXT PRIMARY KEY, job TEXT NOT NULL, settled_ms INTEGER NOT NULL) WITHOUT ROWID;
  CREATE TABLE runs (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, job TEXT NOT NULL, due_ms INTEGER NOT NULL, kind TEXT NOT NULL, state TEXT NOT NULL,
    attempt INTEGER NOT NULL, interruptions INTEGER NOT NULL DEFAULT 0, claimed_ms INTEGER NOT NULL, ended_ms INTEGER, next_ms INTEGER,
    count INTEGER NOT NULL DEFAULT 1, error TEXT
  );
  CREATE UNIQUE INDEX claims ON runs (job, due_ms, kind);
  CREATE INDEX unfinished ON runs (state) WHERE state IN ('running', 'retry', 'queued');
`;

const COLUMNS =
  'seq, job, due_ms AS dueMs, kind, state, attempt, interruptions, claimed_ms AS claimedMs, ended_ms AS endedMs, next_ms AS nextMs, count, error';

/** Claims of one job that are kept, and for how long at least: a clock set back further than both may run a due time again. */
const CLAIMS_PER_JOB = 10_000;
const CLAIMS_AGE_MS = 2 * 86_400_000;
/** Runs of one job that are kept however old they are. */
const HISTORY_PER_JOB = 200;
const RUNS_MAX = 200_000;

/** The jobs and runs of the store. A due time is claimed here, in a transaction, before anything runs. */
export interface Claims {
  jobs(): { job: Job; settledMs: number }[];
  putJob(job: Job, settledMs: number): void;
  removeJob(id: string): void;
  /** The run, or undefined when this due time was claimed before: it never runs again. */
  claim(job: string, dueMs: number, kind: Run['kind'], state: RunState, nowMs: number): Run | undefined;
  recordMissed(job: string, dueMs: number, count: number, nowMs: number, error: string): void;
  settle(job: string, settledMs: number): void;
  update(run: Run): void;
  unfinished(): Run[];
  history(job: string | undefined, limit: number): Run[];
  forget(job: string): void;
  prune(job: string, nowMs: number): void;
  transaction<T>(work: () => T): T;
}

export function createClaims(store: KernelStore): Claims {
  const { db } = store;
  const sql = {
    jobs: db.prepare('SELECT job, settled_ms AS settledMs FROM jobs'),
    putJob: db.prepare('INSERT OR REPLACE INTO jobs (id, job, settled_ms) VALUES (?, ?, ?)'),
    removeJob: db.prepare('DELETE FROM jobs WHERE id = ?'),
    claim: db.prepare(
      `INSERT INTO runs (job, due_ms, kind, state, attempt, claimed_ms, ended_ms, count, error) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (job, due_ms, kind) DO NOTHING RETURNING ${COLUMNS}`,
    ),
    settle: db.prepare('UPDATE jobs SET settled_ms = ? WHERE id = ?'),
    update: db.prepare(
      'UPDATE runs SET state = ?, attempt = ?, interruptions = ?, ended_ms = ?, next_ms = ?, error = ? WHERE seq = ?',
    ),
    unfinished: db.prepare(`SELECT ${COLUMNS} FROM runs WHERE state IN ('running', 'retry', 'queued') ORDER BY due_ms`),
    historyOf: db.prepare(`SELECT ${COLUMNS} FROM runs WHERE job = ? ORDER BY seq DESC LIMIT ?`),
    history: db.prepare(`SELECT ${COLUMNS} FROM runs ORDER BY seq DESC LIMIT ?`),
    forget: db.prepare('DELETE FROM runs WHERE job = ?'),
    prune: db.prepare(
      `DELETE FROM runs WHERE job = ?1 AND ended_ms IS NOT NULL AND (
         due_ms <= (SELECT due_ms FROM runs WHERE job = ?1 ORDER BY due_ms DESC LIMIT 1 OFFSET ${CLAIMS_PER_JOB})
         OR (due_ms < ?2 AND due_ms <= (SELECT due_ms FROM runs WHERE job = ?1 ORDER BY due_ms DESC LIMIT 1 OFFSET ${HISTORY_PER_JOB})))`,
    ),
    pruneAll: db.prepare('DELETE FROM runs WHERE ended_ms IS NOT NULL AND seq <= (SELECT max(seq) FROM runs) - ?'),
  };
  const ENDED: RunState[] = ['skipped', 'missed'];

  return {
    jobs: () =>
      (sql.jobs.all() as { job: string; settledMs: number }[]).map(({ job, settledMs }) => ({
        job: JSON.parse(job) as Job,
        settledMs,
      })),
    putJob: (job, settledMs) => void sql.putJob.run(job.id, JSON.stringify(job), settledMs),
    removeJob: (id) => void sql.removeJob.run(id),
    claim(job, dueMs, kind, state, nowMs) {
      const endedMs = ENDED.includes(state) ? nowMs : null;
      return sql.claim.get(job, dueMs, kind, state, state === 'running' ? 1 : 0, nowMs, endedMs, 1, null) as
        | Run
        | undefined;
    },
    recordMissed: (job, dueMs, count, nowMs, error) =>
      void sql.claim.get(job, dueMs, 'due', 'missed', 0, nowMs, nowMs, count, error),
    settle: (job, settledMs) => void sql.settle.run(settledMs, job),
    update: ({ state, attempt, interruptions, endedMs, nextMs, error, seq }) =>
      void sql.update.run(state, attempt, interruptions, endedMs, nextMs, error, seq),
    unfinished: () => sql.unfinished.all() as unknown as Run[],
    history: (job, limit) =>
      (job === undefined ? sql.history.all(limit) : sql.historyOf.all(job, limit)) as unknown as Run[],
    forget: (job) => void sql.forget.run(job),
    prune(job, nowMs) {
      sql.prune.run(job, nowMs - CLAIMS_AGE_MS);
      sql.pruneAll.run(RUNS_MAX);
    },
    transaction: (work) => store.transaction(work),
  };
}
