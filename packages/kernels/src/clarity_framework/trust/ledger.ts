import type { KernelStore } from '@grace/kernel-sdk';
import type { Observation, Source } from './observation.ts';
import { SOURCES } from './observation.ts';
import { wilsonLower } from './wilson.ts';

export interface TrustOf {
  component: string;
  kept: number;
  broken: number;
  /** Broken while a drill had its hand in it; counted for nothing. */
  excused: number;
  /** Wilson's lower bound of the share that was kept, 0 to 1; null: nothing was observed. */
  lowerBound: number | null;
  sources: {
    source: Source;
    means: string;
    kept: number;
    broken: number;
    excused: number;
    lowerBound: number | null;
    firstMs: number;
    lastMs: number;
    /** Journal record of the last observation. */
    lastRecord: number | null;
  }[];
}

/** Promises kept and broken, counted per component and source. */
export interface TrustLedger {
  /** @param excused a drill was the cause */
  count(observation: Observation, excused: boolean): void;
  of(component: string): TrustOf;
  components(): string[];
}

export const TRUST_TABLES = `
  CREATE TABLE trust (
    component TEXT NOT NULL, source TEXT NOT NULL, kept INTEGER NOT NULL, broken INTEGER NOT NULL, excused INTEGER NOT NULL,
    first_ms REAL NOT NULL, last_ms REAL NOT NULL, last_record INTEGER, PRIMARY KEY (component, source)
  ) WITHOUT ROWID;
`;

interface Row {
  source: Source;
  kept: number;
  broken: number;
  excused: number;
  first_ms: number;
  last_ms: number;
  last_record: number | null;
}

export function createTrustLedger(store: KernelStore): TrustLedger {
  const { db } = store;
  const add = db.prepare(`
    INSERT INTO trust (component, source, kept, broken, excused, first_ms, last_ms, last_record) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7)
    ON CONFLICT (component, source) DO UPDATE SET kept = kept + ?3, broken = broken + ?4, excused = excused + ?5, last_ms = ?6,
      last_record = ?7`);
  const rows = db.prepare('SELECT * FROM trust WHERE component = ? ORDER BY source');
  const names = db.prepare('SELECT DISTINCT component FROM trust ORDER BY component');
  return {
    count({ component, source, kept, record, atMs }, excused) {
      const isExcused = !kept && excused;
      add.run(component, source, kept ? 1 : 0, !kept && !isExcused ? 1 : 0, isExcused ? 1 : 0, atMs, record);
    },
    of(component) {
      const found = rows.all(component) as unknown as Row[];
      const sum = (what: 'kept' | 'broken' | 'excused'): number => found.reduce((total, row) => total + row[what], 0);
      return {
        component,
        kept: sum('kept'),
        broken: sum('broken'),
        excused: sum('excused'),
        lowerBound: wilsonLower(sum('kept'), sum('broken')),
        sources: found.map(({ source, kept, broken, excused, first_ms, last_ms, last_record }) => ({
          source,
          means: SOURCES[source],
          kept,
          broken,
          excused,
          lowerBound: wilsonLower(kept, broken),
          firstMs: first_ms,
          lastMs: last_ms,
          lastRecord: last_record,
        })),
      };
    },
    components: () => (names.all() as { component: string }[]).map(({ component }) => component),
  };
}
