import type { KernelStore } from '@grace/kernel-sdk';
import type { ProbeDefinition } from './definition.ts';
import type { ProbeResult } from './judge.ts';
import { type Count, firstSlice, type Objective, sliceOf, type Within } from './objective.ts';

export interface StoredResult extends ProbeResult {
  probe: string;
  wallMs: number;
}

/** A result on its way to the store, with the objectives it counts for. */
export interface CountedResult extends StoredResult {
  objectives: readonly Objective[];
}

/** Definitions, objectives, and bounded rings of results and slices, in the kernel's store. */
export interface Results {
  definitions(): ProbeDefinition[];
  define(definition: ProbeDefinition): void;
  remove(probe: string): void;
  objectives(): Objective[];
  setObjective(objective: Objective): void;
  removeObjective(id: string): void;
  /** Writes results in one transaction, and counts them for the objectives they belong to. */
  write(results: readonly CountedResult[]): void;
  history(probe: string | undefined, limit: number): StoredResult[];
  /** What an objective has counted, at this time. */
  within(objective: Objective, wallMs: number): Within;
  count(): number;
}

/** Kept of all probes together; at 20 kernels every 5 s this is an hour and a half. */
const MAX_RESULTS = 20_000;

const MIGRATIONS = [
  `CREATE TABLE probes (id TEXT PRIMARY KEY, definition TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE objectives (id TEXT PRIMARY KEY, objective TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE results (seq INTEGER PRIMARY KEY, probe TEXT NOT NULL, verdict TEXT NOT NULL, detail TEXT NOT NULL, ms REAL NOT NULL, wall_ms REAL NOT NULL);
  CREATE INDEX results_probe ON results (probe, seq);
  CREATE TABLE slices (objective TEXT NOT NULL, slice INTEGER NOT NULL, good INTEGER NOT NULL, bad INTEGER NOT NULL, PRIMARY KEY (objective, slice)) WITHOUT ROWID`,
  // Windows have more slices than before: the numbers of the old ones mean other times.
  'DELETE FROM slices',
];

export function createResults(store: KernelStore): Results {
  store.migrate(MIGRATIONS);
  const { db } = store;
  const insert = db.prepare('INSERT INTO results (probe, verdict, detail, ms, wall_ms) VALUES (?, ?, ?, ?, ?)');
  const trim = db.prepare('DELETE FROM results WHERE seq <= (SELECT max(seq) FROM results) - ?');
  const add = db.prepare(
    'INSERT INTO slices (objective, slice, good, bad) VALUES (?, ?, ?, ?) ON CONFLICT (objective, slice) DO UPDATE SET good = good + excluded.good, bad = bad + excluded.bad',
  );
  const sum = db.prepare(
    'SELECT total(good) AS good, total(bad) AS bad FROM slices WHERE objective = ? AND slice > ? AND slice <= ?',
  );
  const forget = db.prepare('DELETE FROM slices WHERE objective = ? AND slice < ?');
  return {
    definitions: () =>
      documents<ProbeDefinition>(db.prepare('SELECT definition AS document FROM probes ORDER BY id').all()),
    define(definition) {
      db.prepare(
        'INSERT INTO probes (id, definition) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET definition = excluded.definition',
      ).run(definition.id, JSON.stringify(definition, keepInfinity));
    },
    remove: (probe) => void db.prepare('DELETE FROM probes WHERE id = ?').run(probe),
    objectives: () =>
      documents<Objective>(db.prepare('SELECT objective AS document FROM objectives ORDER BY id').all()),
    setObjective(objective) {
      store.transaction(() => {
        // Slices of another length mean other times.
        db.prepare('DELETE FROM slices WHERE objective = ?').run(objective.id);
        db.prepare(
          'INSERT INTO objectives (id, objective) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET objective = excluded.objective',
        ).run(objective.id, JSON.stringify(objective));
      });
    },
    removeObjective(id) {
      store.transaction(() => {
        db.prepare('DELETE FROM slices WHERE objective = ?').run(id);
        db.prepare('DELETE FROM objectives WHERE id = ?').run(id);
      });
    },
    write(results) {
      store.transaction(() => {
        const sums = new Map<string, Count & { objective: Objective; slice: number; wallMs: number }>();
        for (const { probe, verdict, detail, ms, wallMs, objectives } of results) {
          insert.run(probe, verdict, detail, ms, wallMs);
          if (verdict === 'unknown') continue;
          for (const objective of objectives) {
            const slice = sliceOf(objective, wallMs);
            const key = `${slice} ${objective.id}`;
            const sum = sums.get(key) ?? { objective, slice, wallMs, good: 0, bad: 0 };
            sum[verdict === 'pass' ? 'good' : 'bad'] += 1;
            sums.set(key, sum);
          }
        }
        for (const { objective, slice, wallMs, good, bad } of sums.values()) {
          add.run(objective.id, slice, good, bad);
          forget.run(objective.id, firstSlice(objective, wallMs));
        }
        trim.run(MAX_RESULTS);
      });
    },
    history(probe, limit) {
      const columns = 'SELECT probe, verdict, detail, ms, wall_ms AS wallMs FROM results';
      const rows =
        probe === undefined
          ? db.prepare(`${columns} ORDER BY seq DESC LIMIT ?`).all(limit)
          : db.prepare(`${columns} WHERE probe = ? ORDER BY seq DESC LIMIT ?`).all(probe, limit);
      return rows.map((row) => ({ ...row }) as unknown as StoredResult);
    },
    within(objective, wallMs) {
      const now = sliceOf(objective, wallMs);
      return (count) => ({ ...(sum.get(objective.id, now - count, now) as unknown as Count) });
    },
    count: () => (db.prepare('SELECT count(*) AS count FROM results').get() as { count: number }).count,
  };
}

function documents<T>(rows: unknown[]): T[] {
  return rows.map((row) => JSON.parse((row as { document: string }).document, reviveInfinity) as T);
}

/** JSON has no infinity, and an open bound is one. */
function keepInfinity(_: string, value: unknown): unknown {
  return value === Infinity ? '+inf' : value === -Infinity ? '-inf' : value;
}

function reviveInfinity(key: string, value: unknown): unknown {
  if (key !== 'min' && key !== 'max') return value;
  return value === '+inf' ? Infinity : value === '-inf' ? -Infinity : value;
}
