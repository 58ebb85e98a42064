import type { KernelStore } from '@grace/kernel-sdk';
import type { Result } from '../verdict/judge.ts';
import type { Verdict } from '../verdict/verdict.ts';

/** An invariant that was broken for a time. */
export interface Violation {
  id: number;
  rule: string;
  title: string;
  beganMs: number;
  /** Null: it is broken still. */
  endedMs: number | null;
  reason: string;
  /** How it ended; null: it has not. */
  ending: string | null;
  evidence: Result;
}

export interface Change {
  rule: string;
  atMs: number;
  from: Verdict | null;
  to: Verdict;
  reason: string;
}

/** Violations and changes of verdict, on disk. */
export interface ViolationBook {
  begin(rule: string, title: string, evidence: Result, atMs: number): void;
  end(rule: string, ending: string, atMs: number): void;
  /** Of a rule; undefined: it is not violated. */
  open(rule: string): Violation | undefined;
  /** Those that touch the range, the newest first. */
  list(query: { rule?: string; open?: boolean; fromMs: number; toMs: number; limit: number }): Violation[];
  /** What nobody has been told yet, the oldest first. */
  untold(limit: number): { violation: Violation; state: 'began' | 'ended' }[];
  told(id: number, state: 'began' | 'ended'): void;
  changed(change: Change): void;
  /** The newest first. */
  changes(rule: string | undefined, limit: number): Change[];
  counts(): { open: number; all: number };
}

export const VIOLATION_TABLES = `
  CREATE TABLE violation (
    id INTEGER PRIMARY KEY AUTOINCREMENT, rule TEXT NOT NULL, began_ms REAL NOT NULL, ended_ms REAL, body TEXT NOT NULL, ending TEXT,
    told_began INTEGER NOT NULL DEFAULT 0, told_ended INTEGER NOT NULL DEFAULT 0
  );
  CREATE UNIQUE INDEX violation_open ON violation (rule) WHERE ended_ms IS NULL;
  CREATE INDEX violation_began ON violation (began_ms);
  CREATE INDEX violation_untold ON violation (id) WHERE told_began = 0 OR (told_ended = 0 AND ended_ms IS NOT NULL);
  CREATE TABLE change (seq INTEGER PRIMARY KEY AUTOINCREMENT, rule TEXT NOT NULL, at_ms REAL NOT NULL, was TEXT, now TEXT NOT NULL, reason TEXT NOT NULL);
  CREATE INDEX change_rule ON change (rule, seq);
`;

const KEPT_MAX = 10_000;

interface Row {
  id: number;
  rule: string;
  began_ms: number;
  ended_ms: number | null;
  body: string;
  ending: string | null;
  told_began: number;
}

export function createViolationBook(store: KernelStore): ViolationBook {
  const { db } = store;
  const insert = db.prepare('INSERT INTO violation (rule, began_ms, body) VALUES (?, ?, ?)');
  const close = db.prepare('UPDATE violation SET ended_ms = ?, ending = ? WHERE rule = ? AND ended_ms IS NULL');
  const byRule = db.prepare('SELECT * FROM violation WHERE rule = ? AND ended_ms IS NULL');
  const within = db.prepare(`
    SELECT * FROM violation WHERE began_ms <= ?2 AND (ended_ms IS NULL OR ended_ms >= ?1) AND (?3 IS NULL OR rule = ?3)
      AND (?4 IS NULL OR (ended_ms IS NULL) = ?4) ORDER BY id DESC LIMIT ?5`);
  const waiting = db.prepare(
    'SELECT * FROM violation WHERE told_began = 0 OR (told_ended = 0 AND ended_ms IS NOT NULL) ORDER BY id LIMIT ?',
  );
  const markBegan = db.prepare('UPDATE violation SET told_began = 1 WHERE id = ?');
  const markEnded = db.prepare('UPDATE violation SET told_ended = 1 WHERE id = ?');
  const prune = db.prepare('DELETE FROM violation WHERE told_ended = 1 AND id <= (SELECT max(id) FROM violation) - ?');
  const addChange = db.prepare('INSERT INTO change (rule, at_ms, was, now, reason) VALUES (?, ?, ?, ?, ?)');
  const pruneChanges = db.prepare('DELETE FROM change WHERE seq <= (SELECT max(seq) FROM change) - ?');
  const readChanges = db.prepare(
    'SELECT rule, at_ms AS atMs, was AS "from", now AS "to", reason FROM change WHERE (?1 IS NULL OR rule = ?1) ORDER BY seq DESC LIMIT ?2',
  );
  const count = db.prepare('SELECT count(*) AS "all", coalesce(sum(ended_ms IS NULL), 0) AS open FROM violation');

  /** Nothing is looked up while there is nothing to tell; the life before may have left something. */
  let mayBeUntold = true;

  return {
    begin(rule, title, evidence, atMs) {
      store.transaction(() => void insert.run(rule, atMs, JSON.stringify({ title, evidence })));
      mayBeUntold = true;
    },
    end(rule, ending, atMs) {
      store.transaction(() => {
        close.run(atMs, ending, rule);
        prune.run(KEPT_MAX);
      });
      mayBeUntold = true;
    },
    open(rule) {
      const row = byRule.get(rule) as Row | undefined;
      return row && violationOf(row);
    },
    list({ rule, open, fromMs, toMs, limit }) {
      const wanted = open === undefined ? null : open ? 1 : 0;
      return (within.all(fromMs, toMs, rule ?? null, wanted, limit) as unknown as Row[]).map(violationOf);
    },
    untold(limit) {
      if (!mayBeUntold) return [];
      const rows = waiting.all(limit) as unknown as Row[];
      mayBeUntold = rows.length > 0;
      return rows.map((row) => ({ violation: violationOf(row), state: row.told_began === 0 ? 'began' : 'ended' }));
    },
    told: (id, state) => void (state === 'began' ? markBegan : markEnded).run(id),
    changed({ rule, atMs, from, to, reason }) {
      store.transaction(() => {
        addChange.run(rule, atMs, from, to, reason);
        pruneChanges.run(KEPT_MAX);
      });
    },
    changes: (rule, limit) => readChanges.all(rule ?? null, limit) as unknown as Change[],
    counts: () => count.get() as { open: number; all: number },
  };
}

function violationOf({ id, rule, began_ms: beganMs, ended_ms: endedMs, body, ending }: Row): Violation {
  const { title, evidence } = JSON.parse(body) as { title: string; evidence: Result };
  return { id, rule, title, beganMs, endedMs, reason: evidence.reason, ending, evidence };
}
