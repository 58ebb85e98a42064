import type { KernelStore } from '@grace/kernel-sdk';
import type { Job } from '../jobs/job.ts';
import type { DecidedUntil, Plan } from '../plan/due.ts';

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
  /** Id of the message that asked for it; what the run says names it as its cause. */
  cause: string | null;
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

/** Where a stretch of missed due times begins (it ends at `due_ms`), and what asked for a run. */
export const STRETCH_COLUMNS = `
  ALTER TABLE runs ADD COLUMN first_ms INTEGER;
  ALTER TABLE runs ADD COLUMN cause TEXT;
  CREATE INDEX stretches ON runs (job, due_ms) WHERE state = 'missed';
`;

const COLUMNS =
  'seq, job, due_ms AS dueMs, kind, state, attempt, interruptions, claimed_ms AS claimedMs, ended_ms AS endedMs, next_ms AS nextMs, count, error, cause';

/** Claims of one job that are kept, and for how long at least: a clock set back further than both may run a due time again. */
const CLAIMS_PER_JOB = 10_000;
const CLAIMS_AGE_MS = 2 * 86_400_000;
/** Runs of one job that are kept however old they are. */
const HISTORY_PER_JOB = 200;
const RUNS_MAX = 200_000;
/** Old runs are looked for after so many claims. */
const PRUNE_EVERY = 50;

/** The jobs and runs of the store. A due time is claimed here, in a transaction, before anything runs. */
export interface Claims {
  jobs(): { job: Job; settledMs: number }[];
  putJob(job: Job, settledMs: number): void;
  removeJob(id: string): void;
  /** The run, or undefined when this due time was claimed before: it never runs again. */
  claim(
    job: Job,
    dueMs: number,
    kind: Run['kind'],
    state: RunState,
    nowMs: number,
    cause?: string | null,
  ): Run | undefined;
  recordMissed(job: string, missed: NonNullable<Plan['missed']>, nowMs: number): void;
  /** What was decided about due times of a job before. */
  decided(job: string): DecidedUntil;
  settle(job: string, settledMs: number): void;
  update(run: Run): void;
  unfinished(): Run[];
  history(job: string | undefined, limit: number): Run[];
  forget(job: string): void;
  transaction<T>(work: () => T): T;
}

export function createClaims(store: KernelStore): Claims {
  const { db } = store;
  const sql = {
    jobs: db.prepare('SELECT job, settled_ms AS settledMs FROM jobs'),
    putJob: db.prepare('INSERT OR REPLACE INTO jobs (id, job, settled_ms) VALUES (?, ?, ?)'),
    removeJob: db.prepare('DELETE FROM jobs WHERE id = ?'),
    claim: db.prepare(
      `INSERT INTO runs (job, due_ms, kind, state, attempt, claimed_ms, ended_ms, cause) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (job, due_ms, kind) DO NOTHING RETURNING ${COLUMNS}`,
    ),
    missed: db.prepare(
      `INSERT INTO runs (job, first_ms, due_ms, kind, state, attempt, claimed_ms, ended_ms, count, error)
       VALUES (?1, ?2, ?3, 'due', 'missed', 0, ?4, ?4, ?5, ?6) ON CONFLICT (job, due_ms, kind) DO NOTHING`,
    ),
    stretch: db.prepare(
      "SELECT max(due_ms) AS untilMs FROM runs WHERE job = ?1 AND state = 'missed' AND due_ms >= ?2 AND first_ms <= ?2",
    ),
    claimed: db.prepare("SELECT 1 FROM runs WHERE job = ? AND due_ms = ? AND kind = 'due'"),
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
  const prune = (job: string, nowMs: number): void => {
    sql.prune.run(job, nowMs - CLAIMS_AGE_MS);
    sql.pruneAll.run(RUNS_MAX);
  };

  return {
    jobs: () =>
      (sql.jobs.all() as { job: string; settledMs: number }[]).map(({ job, settledMs }) => ({
        // A job of an earlier version has no cause.
        job: { cause: null, ...(JSON.parse(job) as Omit<Job, 'cause'>) },
        settledMs,
      })),
    putJob: (job, settledMs) => void sql.putJob.run(job.id, JSON.stringify(job), settledMs),
    removeJob: (id) => void sql.removeJob.run(id),
    claim(job, dueMs, kind, state, nowMs, cause = job.cause) {
      const endedMs = state === 'skipped' ? nowMs : null;
      const attempt = state === 'running' ? 1 : 0;
      const run = sql.claim.get(job.id, dueMs, kind, state, attempt, nowMs, endedMs, cause) as Run | undefined;
      if (run && run.seq % PRUNE_EVERY === 0) prune(job.id, nowMs);
      return run;
    },
    recordMissed(job, { count, isAtLeast, firstMs, lastMs }, nowMs) {
      const span = `${isAtLeast ? 'at least ' : ''}${count} from ${new Date(firstMs).toISOString()} on`;
      sql.missed.run(job, firstMs, lastMs, nowMs, count, span);
    },
    decided: (job) => (dueMs) => {
      const { untilMs } = sql.stretch.get(job, dueMs) as { untilMs: number | null };
      return untilMs ?? (sql.claimed.get(job, dueMs) ? dueMs : null);
    },
    settle: (job, settledMs) => void sql.settle.run(settledMs, job),
    update: ({ state, attempt, interruptions, endedMs, nextMs, error, seq }) =>
      void sql.update.run(state, attempt, interruptions, endedMs, nextMs, error, seq),
    unfinished: () => sql.unfinished.all() as unknown as Run[],
    history: (job, limit) =>
      (job === undefined ? sql.history.all(limit) : sql.historyOf.all(job, limit)) as unknown as Run[],
    forget: (job) => void sql.forget.run(job),
    transaction: (work) => store.transaction(work),
  };
}
