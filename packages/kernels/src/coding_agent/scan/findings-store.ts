import type { KernelStore } from '@grace/kernel-sdk';
import type { Kind } from '../tree/walk.ts';
import type { Finding } from './finding.ts';

/** A finding as it is kept: `places` is how often it stands in its file. */
export interface KeptFinding extends Finding {
  root: string;
  places: number;
}

const SCANS_KEPT = 200;

export type FindingsStore = ReturnType<typeof createFindingsStore>;

/** What was judged and what was found, by origin: a file (`file src/a.py`) or a project (`project tsconfig.json`). */
export function createFindingsStore(store: KernelStore, judges: string) {
  const { db } = store;
  // Other rules or another compiler judge differently: nothing that was judged before counts.
  if (store.get('judges') !== judges)
    store.transaction(() => {
      db.exec('DELETE FROM judged; DELETE FROM findings');
      store.set('judges', judges);
    });
  const hashes = db.prepare('SELECT origin, hash FROM judged WHERE root = ? AND kind = ?');
  const origins = db.prepare('SELECT origin FROM judged WHERE root = ? AND kind = ?');
  const judge = db.prepare('INSERT OR REPLACE INTO judged (root, origin, kind, hash) VALUES (?, ?, ?, ?)');
  const forgetJudged = db.prepare('DELETE FROM judged WHERE root = ? AND origin = ?');
  const forget = db.prepare('DELETE FROM findings WHERE root = ? AND origin = ?');
  const known = db.prepare('SELECT signature FROM findings WHERE root = ? AND origin = ?');
  const insert = db.prepare(
    `INSERT INTO findings VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1)
     ON CONFLICT (root, origin, signature) DO UPDATE SET places = places + 1`,
  );
  const columns = 'root, signature, file, kind, rule, severity, message, line, column, max(places) AS places';
  const bySignature = db.prepare(
    `SELECT ${columns} FROM findings WHERE signature = ? GROUP BY root, signature LIMIT 10`,
  );
  const byRule = db.prepare(
    `SELECT ${columns} FROM findings WHERE root = ? AND file = ? AND rule = ? GROUP BY signature ORDER BY line LIMIT 1`,
  );
  const rules = db.prepare('SELECT DISTINCT rule FROM findings WHERE root = ? AND file = ? LIMIT 100');
  const page = db.prepare(
    `SELECT ${columns} FROM findings WHERE root = ? GROUP BY signature ORDER BY severity, file, line, signature LIMIT ? OFFSET ?`,
  );
  const totals = db.prepare(
    'SELECT rule, severity, count(DISTINCT signature) AS n FROM findings WHERE root = ? GROUP BY rule, severity ORDER BY n DESC, rule',
  );
  const saveScan = db.prepare('INSERT INTO scans (id, root, atMs, summary) VALUES (?, ?, ?, ?)');
  const trimScans = db.prepare('DELETE FROM scans WHERE id NOT IN (SELECT id FROM scans ORDER BY atMs DESC LIMIT ?)');

  return {
    hashes(root: string, kind: Kind): Map<string, string> {
      const rows = hashes.all(root, kind) as { origin: string; hash: string }[];
      return new Map(rows.map((row) => [row.origin, row.hash]));
    },
    /** Puts what was found in the place of what was there; returns what is new. */
    replace(root: string, origin: string, kind: Kind, hash: string, findings: readonly Finding[]): Finding[] {
      return store.transaction(() => {
        const before = new Set((known.all(root, origin) as { signature: string }[]).map(({ signature }) => signature));
        forget.run(root, origin);
        for (const one of findings)
          insert.run(
            root,
            origin,
            one.signature,
            one.file,
            one.kind,
            one.rule,
            one.severity,
            one.message,
            one.line,
            one.column,
          );
        judge.run(root, origin, kind, hash);
        const fresh = new Map(
          findings.filter(({ signature }) => !before.has(signature)).map((one) => [one.signature, one]),
        );
        return [...fresh.values()];
      });
    },
    /** Takes out origins of these kinds that are no longer there. */
    keepOnly(root: string, kind: Kind, present: ReadonlySet<string>): void {
      store.transaction(() => {
        for (const { origin } of origins.all(root, kind) as { origin: string }[]) {
          if (present.has(origin)) continue;
          forget.run(root, origin);
          forgetJudged.run(root, origin);
        }
      });
    },
    bySignature: (signature: string) => bySignature.all(signature) as unknown as KeptFinding[],
    byRule: (root: string, file: string, rule: string) =>
      byRule.get(root, file, rule) as unknown as KeptFinding | undefined,
    rules: (root: string, file: string) => (rules.all(root, file) as { rule: string }[]).map(({ rule }) => rule),
    page: (root: string, limit: number, offset: number) => page.all(root, limit, offset) as unknown as KeptFinding[],
    totals: (root: string) => totals.all(root) as { rule: string; severity: string; n: number }[],
    counts() {
      const row = db
        .prepare('SELECT count(DISTINCT root || signature) AS n, count(DISTINCT root) AS trees FROM findings')
        .get();
      return { findings: Number(row!['n']), trees: Number(row!['trees']) };
    },
    saveScan(id: string, root: string, atMs: number, summary: unknown): void {
      store.transaction(() => {
        saveScan.run(id, root, atMs, JSON.stringify(summary));
        trimScans.run(SCANS_KEPT);
      });
    },
    rootOfScan(id: string): string | undefined {
      return db.prepare('SELECT root FROM scans WHERE id = ?').get(id)?.['root'] as string | undefined;
    },
    scanIds: () => (db.prepare('SELECT id FROM scans').all() as { id: string }[]).map(({ id }) => id),
    lastScans: () =>
      (
        db.prepare('SELECT id, root, summary FROM scans ORDER BY atMs DESC LIMIT 5').all() as {
          id: string;
          root: string;
          summary: string;
        }[]
      ).map(({ summary, ...rest }) => ({ ...rest, ...(JSON.parse(summary) as object) })),
  };
}
