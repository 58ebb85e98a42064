import { didYouMean, GraceError } from '@grace/contracts';
import type { KernelStore } from '@grace/kernel-sdk';
import {
  type Entry,
  GOAL_LIMITS,
  type Goal,
  type GoalMade,
  type GoalStanding,
  type GoalState,
  isOver,
  kept,
} from './goal.ts';

/** Goals and their step journal, on disk before and after each call. */
export interface Book {
  /** Puts it down as planned, with what is to be told of it. */
  open(goal: Goal, tell?: () => void): void;
  /** @throws GraceError `NOT_FOUND` with the nearest id */
  get(id: string): Goal;
  byKey(principal: string, key: string): Goal | undefined;
  /** All that have not ended, the oldest first. */
  unfinished(): Goal[];
  /** Goals whose time is over and that have not ended; an uncertain one waits for somebody. */
  overdue(atMs: number): string[];
  /** When the next one's time is over, wall ms; undefined: none has any left. */
  nextDeadline(): number | undefined;
  list(filter: { state?: GoalState; principal?: string; limit: number }): Goal[];
  counts(): Record<string, number>;
  /** Goals that are kept. */
  count(): number;
  openCount(principal?: string): number;
  /** Goals of one correlation that began after `sinceMs`. */
  ofCorrelation(correlation: string, sinceMs: number): number;
  /** Changes where a goal stands; `tell` goes into the outbox with it, in one transaction. */
  stand(goal: Goal, change: Partial<GoalStanding>, tell?: () => void): Goal;
  /** Writes an intent before the call: the same step again is the next attempt. Its permission is used up by it. */
  intend(
    goal: Goal,
    entry: Omit<Entry, 'attempt' | 'state' | 'answer' | 'error' | 'endedMs'>,
  ): { goal: Goal; entry: Entry };
  /** Writes how it ended; with `change`, where the goal stands then. */
  answer(
    entry: Entry,
    end: Pick<Entry, 'state' | 'answer' | 'error'>,
    goal: Goal,
    change?: Partial<GoalStanding>,
  ): Goal;
  /** Somebody wants it ended, however long that takes. */
  askEnd(id: string, why: string): void;
  /** Why; undefined: nobody does. */
  endAsked(id: string): string | undefined;
  entries(goal: string): Entry[];
  /** Takes a goal out with all that is known of it. */
  drop(id: string): void;
  /** Goals of functional probes that died with their process. */
  dropProbes(): void;
}

/** Begins the ids of goals of the functional probe, which nobody else sees. */
export const PROBE_PREFIX = 'probe-';

export const GOAL_TABLES = `
  CREATE TABLE goal (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, principal TEXT NOT NULL, key TEXT, correlation TEXT NOT NULL,
    created_ms REAL NOT NULL, state TEXT NOT NULL, over INTEGER NOT NULL, made TEXT NOT NULL, standing TEXT NOT NULL,
    end_asked TEXT
  );
  CREATE UNIQUE INDEX goal_key ON goal (principal, key) WHERE key IS NOT NULL;
  CREATE INDEX goal_open ON goal (seq) WHERE over = 0;
  CREATE INDEX goal_correlation ON goal (correlation, created_ms);
  CREATE INDEX goal_state ON goal (state, seq);
  CREATE TABLE entry (
    goal TEXT NOT NULL REFERENCES goal (id) ON DELETE CASCADE, step INTEGER NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (goal, step, kind)
  ) WITHOUT ROWID;
`;

type Row = { made: string; standing: string };

export function createBook(store: KernelStore, nowMs: () => number): Book {
  const { db } = store;
  db.exec('PRAGMA foreign_keys = ON');
  const insert = db.prepare(
    'INSERT INTO goal (id, principal, key, correlation, created_ms, state, over, made, standing) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
  );
  const update = db.prepare('UPDATE goal SET state = ?, over = ?, standing = ? WHERE id = ?');
  const one = db.prepare('SELECT made, standing FROM goal WHERE id = ?');
  const keyed = db.prepare('SELECT made, standing FROM goal WHERE principal = ? AND key = ?');
  const live = db.prepare('SELECT made, standing FROM goal WHERE over = 0 ORDER BY seq');
  const timed = `FROM goal WHERE over = 0 AND state <> 'uncertain' AND id NOT GLOB '${PROBE_PREFIX}*'`;
  const late = db.prepare(`SELECT id ${timed} AND json_extract(made, '$.deadlineMs') <= ?`);
  const earliest = db.prepare(`SELECT min(json_extract(made, '$.deadlineMs')) AS n ${timed}`);
  const newest = db.prepare(
    `SELECT made, standing FROM goal WHERE id NOT GLOB '${PROBE_PREFIX}*' AND (?1 IS NULL OR state = ?1) AND (?2 IS NULL OR principal = ?2) ORDER BY seq DESC LIMIT ?3`,
  );
  const recent = db.prepare('SELECT id FROM goal ORDER BY seq DESC LIMIT 200');
  const byState = db.prepare(
    `SELECT state, count(*) AS n FROM goal WHERE id NOT GLOB '${PROBE_PREFIX}*' GROUP BY state`,
  );
  const ask = db.prepare('UPDATE goal SET end_asked = ? WHERE id = ?');
  const asked = db.prepare('SELECT end_asked AS why FROM goal WHERE id = ?');
  const total = db.prepare(`SELECT count(*) AS n FROM goal WHERE id NOT GLOB '${PROBE_PREFIX}*'`);
  const opened = db.prepare(
    `SELECT count(*) AS n FROM goal WHERE over = 0 AND id NOT GLOB '${PROBE_PREFIX}*' AND (?1 IS NULL OR principal = ?1)`,
  );
  const related = db.prepare('SELECT count(*) AS n FROM goal WHERE correlation = ? AND created_ms >= ?');
  const put = db.prepare(
    'INSERT INTO entry (goal, step, kind, body) VALUES (?, ?, ?, ?) ON CONFLICT (goal, step, kind) DO UPDATE SET body = excluded.body',
  );
  const read = db.prepare('SELECT body FROM entry WHERE goal = ? ORDER BY step, kind');
  const readOne = db.prepare('SELECT body FROM entry WHERE goal = ? AND step = ? AND kind = ?');
  const prune = db.prepare(
    'DELETE FROM goal WHERE over = 1 AND seq <= (SELECT seq FROM goal WHERE over = 1 ORDER BY seq DESC LIMIT 1 OFFSET ?)',
  );
  const remove = db.prepare('DELETE FROM goal WHERE id = ?');

  const revive = (row: unknown): Goal => {
    const { made, standing } = row as Row;
    return { ...(JSON.parse(made) as GoalMade), ...(JSON.parse(standing) as GoalStanding) };
  };
  const write = (goal: Goal, change: Partial<GoalStanding>): Goal => {
    const next = { ...goal, ...change };
    if (isOver(next.state) && next.endedMs === null) next.endedMs = nowMs();
    update.run(next.state, isOver(next.state) ? 1 : 0, JSON.stringify(standingOf(next)), next.id);
    if (isOver(next.state)) prune.run(GOAL_LIMITS.kept);
    return next;
  };
  const count = (row: unknown): number => (row as { n: number }).n;

  return {
    open: (goal, tell) =>
      store.transaction(() => {
        const { state, reason, at, waiting, granted, ending, endedMs, ...made } = goal;
        insert.run(
          ...[goal.id, goal.principal, goal.key, goal.correlation, goal.createdMs, state, isOver(state) ? 1 : 0],
          JSON.stringify(made),
          JSON.stringify({ state, reason, at, waiting, granted, ending, endedMs }),
        );
        tell?.();
      }),
    get(id) {
      const row = one.get(id);
      if (row) return revive(row);
      const ids = (recent.all() as { id: string }[]).map((entry) => entry.id);
      throw new GraceError('NOT_FOUND', `there is no goal ${JSON.stringify(id)}${didYouMean(id, ids)}`, { id });
    },
    byKey(principal, key) {
      const row = keyed.get(principal, key);
      return row && revive(row);
    },
    unfinished: () => live.all().map(revive),
    overdue: (atMs) => (late.all(atMs) as { id: string }[]).map(({ id }) => id),
    nextDeadline: () => (earliest.get() as { n: number | null }).n ?? undefined,
    list: ({ state, principal, limit }) => newest.all(state ?? null, principal ?? null, limit).map(revive),
    counts: () =>
      Object.fromEntries((byState.all() as { state: string; n: number }[]).map(({ state, n }) => [state, n])),
    count: () => count(total.get()),
    openCount: (principal) => count(opened.get(principal ?? null)),
    ofCorrelation: (correlation, sinceMs) => count(related.get(correlation, sinceMs)),
    stand: (goal, change, tell) =>
      store.transaction(() => {
        const next = write(goal, change);
        tell?.();
        return next;
      }),
    intend: (goal, given) =>
      store.transaction(() => {
        const row = readOne.get(given.goal, given.step, given.kind) as { body: string } | undefined;
        const attempt = row ? (JSON.parse(row.body) as Entry).attempt + 1 : 1;
        const input = kept(given.input);
        const entry: Entry = { ...given, input, attempt, state: 'intent', answer: null, error: null, endedMs: null };
        put.run(entry.goal, entry.step, entry.kind, JSON.stringify(entry));
        const { act: _, ...granted } = goal.granted;
        return { entry, goal: given.kind === 'act' ? write(goal, { granted }) : goal };
      }),
    answer: (entry, end, goal, change) =>
      store.transaction(() => {
        const over: Entry = { ...entry, ...end, answer: kept(end.answer), endedMs: nowMs() };
        put.run(over.goal, over.step, over.kind, JSON.stringify(over));
        return change ? write(goal, change) : goal;
      }),
    askEnd: (id, why) => store.transaction(() => void ask.run(why, id)),
    endAsked: (id) => (asked.get(id) as { why: string | null } | undefined)?.why ?? undefined,
    entries: (goal) => (read.all(goal) as { body: string }[]).map(({ body }) => JSON.parse(body) as Entry),
    drop: (id) => store.transaction(() => void remove.run(id)),
    dropProbes: () => store.transaction(() => db.exec(`DELETE FROM goal WHERE id GLOB '${PROBE_PREFIX}*'`)),
  };
}

function standingOf({ state, reason, at, waiting, granted, ending, endedMs }: Goal): GoalStanding {
  return { state, reason: reason.slice(0, 2000), at, waiting, granted, ending, endedMs };
}
