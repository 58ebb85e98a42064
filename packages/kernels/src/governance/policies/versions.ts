import type { KernelStore } from '@grace/kernel-sdk';
import type { PolicySet } from './policy-set.ts';

export interface VersionNote {
  version: string;
  atMs: number;
  by: string;
  policies: number;
  inForce: boolean;
}

/** Every version of the policies that was ever in force, by the hash of its content. */
export interface Versions {
  current(): PolicySet | undefined;
  get(version: string): PolicySet | undefined;
  /** Within a transaction. */
  accept(set: PolicySet, by: string, nowMs: number): void;
  list(): VersionNote[];
}

const KEPT_MAX = 100;
const CURRENT = 'policies in force';

export function createVersions(store: KernelStore): Versions {
  const { db } = store;
  const insert = db.prepare(
    'INSERT INTO version (version, at_ms, by, body) VALUES (?, ?, ?, ?) ON CONFLICT (version) DO UPDATE SET at_ms = excluded.at_ms, by = excluded.by',
  );
  const byVersion = db.prepare('SELECT body FROM version WHERE version = ?');
  const all = db.prepare('SELECT version, at_ms, by, body FROM version ORDER BY at_ms DESC');
  const prune = db.prepare(
    `DELETE FROM version WHERE version <> ? AND version NOT IN (SELECT version FROM version ORDER BY at_ms DESC LIMIT ${KEPT_MAX})`,
  );
  const get = (version: string): PolicySet | undefined => {
    const row = byVersion.get(version) as { body: string } | undefined;
    return row && (JSON.parse(row.body) as PolicySet);
  };
  return {
    get,
    current() {
      const version = store.get<string>(CURRENT);
      return version === undefined ? undefined : get(version);
    },
    accept(set, by, nowMs) {
      insert.run(set.version, nowMs, by, JSON.stringify(set));
      store.set(CURRENT, set.version);
      prune.run(set.version);
    },
    list() {
      const current = store.get<string>(CURRENT);
      const rows = all.all() as { version: string; at_ms: number; by: string; body: string }[];
      return rows.map(({ version, at_ms, by, body }) => ({
        version,
        atMs: at_ms,
        by,
        policies: Object.keys((JSON.parse(body) as PolicySet).policies).length,
        inForce: version === current,
      }));
    },
  };
}
