import type { KernelStore } from '@grace/kernel-sdk';
import type { Facts, IncidentFact, ReadyFact, RestartFact, RunFact } from './facts.ts';
import { type FoldState, newFold } from './fold-state.ts';

/** A change of level that infrastructure_manager told. */
export interface PressureFact {
  atMs: number;
  resource: string;
}

/** What was read off the journal, kept with the place in it: both move in one transaction, so nothing counts twice or not at all. */
export interface Book {
  state(): FoldState;
  /** Writes facts; within the transaction of the caller, where there is one. */
  put(facts: Facts): void;
  /** Writes the facts and the place they end at. */
  keep(facts: Facts, state: FoldState): void;
  keepPressure(fact: PressureFact): void;
  incidents(fromMs: number, toMs: number): IncidentFact[];
  restarts(fromMs: number, toMs: number): RestartFact[];
  runs(fromMs: number, toMs: number): RunFact[];
  readies(fromMs: number, toMs: number): ReadyFact[];
  pressures(fromMs: number, toMs: number): PressureFact[];
  /** When the earliest fact happened; null: there is none. */
  firstMs(): number | null;
  counts(): Record<'incidents' | 'restarts' | 'runs' | 'starts' | 'pressures', number>;
  /** A run that the journal does not tell, as self_healing remembers it. */
  addRun(run: RunFact): boolean;
}

/** Of each kind of fact; the oldest go first. */
const KEPT_MAX = 20_000;
const FOLD = 'fold';

export const BOOK_TABLES = `
  CREATE TABLE incident (id TEXT PRIMARY KEY, at_ms REAL NOT NULL, body TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE restart (id INTEGER PRIMARY KEY, at_ms REAL NOT NULL, body TEXT NOT NULL);
  CREATE TABLE run (id TEXT PRIMARY KEY, at_ms REAL NOT NULL, body TEXT NOT NULL) WITHOUT ROWID;
  CREATE TABLE ready (id INTEGER PRIMARY KEY, at_ms REAL NOT NULL, body TEXT NOT NULL);
  CREATE TABLE pressure (id INTEGER PRIMARY KEY, at_ms REAL NOT NULL, body TEXT NOT NULL);
  CREATE INDEX incident_at ON incident (at_ms);
  CREATE INDEX restart_at ON restart (at_ms);
  CREATE INDEX run_at ON run (at_ms);
  CREATE INDEX ready_at ON ready (at_ms);
  CREATE INDEX pressure_at ON pressure (at_ms);
`;
const TABLES = ['incident', 'restart', 'run', 'ready', 'pressure'] as const;
type Table = (typeof TABLES)[number];

export function createBook(store: KernelStore): Book {
  const { db } = store;
  const put = (table: Table, id: string | number | null, atMs: number, fact: object): void => {
    db.prepare(
      `INSERT INTO ${table} (id, at_ms, body) VALUES (?, ?, ?) ON CONFLICT (id) DO UPDATE SET at_ms = excluded.at_ms, body = excluded.body`,
    ).run(id, atMs, JSON.stringify(fact));
  };
  const putAll = ({ incidents, restarts, runs, readies }: Facts): void => {
    for (const fact of incidents) put('incident', fact.id, fact.openedMs, fact);
    for (const fact of restarts) put('restart', fact.seq, fact.atMs, fact);
    for (const fact of runs) put('run', fact.run, fact.atMs, fact);
    for (const fact of readies) put('ready', fact.seq, fact.atMs, fact);
  };
  const trim = (table: Table): void => {
    db.prepare(
      `DELETE FROM ${table} WHERE at_ms < (SELECT at_ms FROM ${table} ORDER BY at_ms DESC LIMIT 1 OFFSET ${KEPT_MAX})`,
    ).run();
  };
  const between = <T>(table: Table, fromMs: number, toMs: number): T[] => {
    const rows = db
      .prepare(`SELECT body FROM ${table} WHERE at_ms BETWEEN ? AND ? ORDER BY at_ms, id`)
      .all(fromMs, toMs) as { body: string }[];
    return rows.map(({ body }) => JSON.parse(body) as T);
  };
  const count = (table: Table): number => (db.prepare(`SELECT count(*) AS n FROM ${table}`).get() as { n: number }).n;

  return {
    state: () => store.get<FoldState>(FOLD) ?? newFold(),
    put: putAll,
    keep(facts, state) {
      store.transaction(() => {
        putAll(facts);
        for (const table of TABLES) trim(table);
        store.set(FOLD, state);
      });
    },
    keepPressure: (fact) => put('pressure', null, fact.atMs, fact),
    incidents: (fromMs, toMs) => between('incident', fromMs, toMs),
    restarts: (fromMs, toMs) => between('restart', fromMs, toMs),
    runs: (fromMs, toMs) => between('run', fromMs, toMs),
    readies: (fromMs, toMs) => between('ready', fromMs, toMs),
    pressures: (fromMs, toMs) => between('pressure', fromMs, toMs),
    firstMs() {
      const firsts = TABLES.map(
        (table) => (db.prepare(`SELECT min(at_ms) AS at FROM ${table}`).get() as { at: number | null }).at,
      ).filter((at) => at !== null);
      return firsts.length === 0 ? null : Math.min(...firsts);
    },
    counts: () => ({
      ...{ incidents: count('incident'), restarts: count('restart'), runs: count('run') },
      ...{ starts: count('ready'), pressures: count('pressure') },
    }),
    addRun(run) {
      const known = db.prepare('SELECT body FROM run WHERE id = ?').get(run.run) as { body: string } | undefined;
      if (known && ((JSON.parse(known.body) as RunFact).outcome !== null || run.outcome === null)) return false;
      put('run', run.run, run.atMs, run);
      return true;
    },
  };
}
