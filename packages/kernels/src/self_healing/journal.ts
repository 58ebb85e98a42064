import type { Clock, PlaybookOutcome } from '@grace/contracts';
import type { KernelStore } from '@grace/kernel-sdk';
import type { PastRun } from './run/guard.ts';
import type { StepReport } from './run/state.ts';

export interface RunRecord {
  run: string;
  playbook: string;
  /** Empty when the run was asked for by hand without one. */
  incident: string;
  target: string;
  correlation: string;
  dryRun: boolean;
  startedWall: number;
  startedMono: number;
  endedMono: number | null;
  /** Null while it runs. */
  outcome: PlaybookOutcome | null;
  detail: string;
  steps: StepReport[];
}

/** The journal of runs: a run is in it before it acts, so one that was cut off is found at the next start. */
export interface RunJournal {
  open(run: Omit<RunRecord, 'endedMono' | 'outcome' | 'detail' | 'steps'>): void;
  step(run: string, steps: readonly StepReport[]): void;
  close(run: string, outcome: PlaybookOutcome, detail: string): void;
  /** Runs without an end, oldest first. */
  unfinished(): RunRecord[];
  /** Newest first. */
  history(limit: number): RunRecord[];
  /** What the guards look at. Refused and dry runs did nothing and do not count. */
  past(target: string): PastRun[];
  of(incident: string, playbook: string): (PlaybookOutcome | null)[];
  counts(): Record<string, number>;
}

const MAX_RUNS = 2000;

const MIGRATIONS = [
  `CREATE TABLE runs (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL UNIQUE, playbook TEXT NOT NULL, incident TEXT NOT NULL, target TEXT NOT NULL,
    correlation TEXT NOT NULL, dry_run INTEGER NOT NULL, started_wall REAL NOT NULL, started_mono REAL NOT NULL, ended_mono REAL,
    outcome TEXT, detail TEXT NOT NULL DEFAULT '', steps TEXT NOT NULL DEFAULT '[]');
  CREATE INDEX runs_target ON runs (target, seq);
  CREATE INDEX runs_incident ON runs (incident, playbook)`,
];

export function createRunJournal(store: KernelStore, clock: Clock): RunJournal {
  store.migrate(MIGRATIONS);
  const rows = (where: string, ...values: (string | number)[]): RunRecord[] =>
    (store.db.prepare(`SELECT * FROM runs ${where}`).all(...values) as unknown as Row[]).map(revive);
  return {
    open(run) {
      store.transaction(() => {
        store.db
          .prepare(
            'INSERT INTO runs (run, playbook, incident, target, correlation, dry_run, started_wall, started_mono) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
          )
          .run(
            run.run,
            run.playbook,
            run.incident,
            run.target,
            run.correlation,
            run.dryRun ? 1 : 0,
            run.startedWall,
            run.startedMono,
          );
        store.db
          .prepare('DELETE FROM runs WHERE seq <= (SELECT max(seq) FROM runs) - ? AND outcome IS NOT NULL')
          .run(MAX_RUNS);
      });
    },
    step(run, steps) {
      store.db.prepare('UPDATE runs SET steps = ? WHERE run = ?').run(JSON.stringify(steps), run);
    },
    close(run, outcome, detail) {
      store.db
        .prepare('UPDATE runs SET outcome = ?, detail = ?, ended_mono = ? WHERE run = ?')
        .run(outcome, detail, clock.monoMs(), run);
    },
    unfinished: () => rows('WHERE outcome IS NULL ORDER BY seq'),
    history: (limit) => rows('ORDER BY seq DESC LIMIT ?', limit),
    past: (target) =>
      rows("WHERE target = ? AND dry_run = 0 AND outcome IS NOT 'refused' ORDER BY seq DESC LIMIT 1000", target),
    of: (incident, playbook) =>
      rows('WHERE incident = ? AND playbook = ? AND dry_run = 0 ORDER BY seq', incident, playbook).map(
        ({ outcome }) => outcome,
      ),
    counts() {
      const found = store.db.prepare('SELECT outcome, count(*) AS runs FROM runs GROUP BY outcome').all() as {
        outcome: string | null;
        runs: number;
      }[];
      return Object.fromEntries(found.map(({ outcome, runs }) => [outcome ?? 'running', runs]));
    },
  };
}

interface Row {
  run: string;
  playbook: string;
  incident: string;
  target: string;
  correlation: string;
  dry_run: number;
  started_wall: number;
  started_mono: number;
  ended_mono: number | null;
  outcome: PlaybookOutcome | null;
  detail: string;
  steps: string;
}

function revive(row: Row): RunRecord {
  return {
    run: row.run,
    playbook: row.playbook,
    incident: row.incident,
    target: row.target,
    correlation: row.correlation,
    dryRun: row.dry_run === 1,
    startedWall: row.started_wall,
    startedMono: row.started_mono,
    endedMono: row.ended_mono,
    outcome: row.outcome,
    detail: row.detail,
    steps: JSON.parse(row.steps) as StepReport[],
  };
}
