import { GraceError } from '@grace/contracts';
import type { KernelStore } from '@grace/kernel-sdk';
import type { Tally } from '../choice/posterior.ts';
import { DAY_MS } from '../choice/posterior.ts';
import type { End, Outcome } from './outcome.ts';

export const OUTCOME_TABLES = `
  CREATE TABLE outcome (
    key TEXT PRIMARY KEY, playbook TEXT NOT NULL, told TEXT, incident TEXT, kind TEXT, end TEXT NOT NULL, took_ms REAL NOT NULL,
    at_ms REAL NOT NULL, by TEXT NOT NULL, signature TEXT GENERATED ALWAYS AS (coalesce(told, kind)) STORED,
    day INTEGER GENERATED ALWAYS AS (CAST(at_ms / ${DAY_MS} AS INTEGER)) STORED
  ) WITHOUT ROWID;
  CREATE INDEX outcome_tally ON outcome (playbook, end, day, signature) WHERE signature IS NOT NULL;
  CREATE INDEX outcome_signature ON outcome (signature, playbook) WHERE signature IS NOT NULL;
  CREATE INDEX outcome_incident ON outcome (incident) WHERE incident IS NOT NULL;
  CREATE INDEX outcome_at ON outcome (at_ms, key);
`;

/** `repeated`: it was known; `forgotten`: it is older than what is kept, so nobody can tell whether it was counted. */
export type Taken = 'new' | 'repeated' | 'forgotten';

export interface Pair {
  signature: string;
  playbook: string;
}

export interface Statistic extends Pair {
  counts: Record<End, number>;
  lastMs: number;
  /** Mean of the runs that healed; null: none did. */
  healedInMs: number | null;
}

/** What became of the runs of playbooks. Each run stands in it once, whoever tells of it, how often, and in which order. */
export interface OutcomeBook {
  /**
   * Within a transaction of the caller.
   * @param kind of its incident, when that is known
   * @param isLate it may be of any age, and may have been counted and pruned
   * @throws GraceError `CONFLICT` when its key stands for another outcome
   */
  take(outcome: Outcome, kind: string | null, isLate: boolean): Taken;
  /** The kind of an incident became known. */
  resolve(incident: string, kind: string): void;
  /** What a playbook did, by signature. */
  tallies(playbook: string): ReadonlyMap<string, Tally[]>;
  /** In the order of signature and playbook, from after `after`. */
  statistics(query: {
    signature?: string | undefined;
    playbook?: string | undefined;
    after?: Pair | undefined;
    limit: number;
  }): Statistic[];
  signatures(): string[];
  playbooks(): string[];
  has(key: string): boolean;
  /** Incidents whose kind nobody told, of the newest runs. */
  unresolved(limit: number): string[];
  /** Removes the oldest that are too many. Within a transaction of the caller. */
  prune(): void;
  forget(key: string): void;
  counts(): { kept: number; waiting: number };
}

interface Row {
  playbook: string;
  told: string | null;
  incident: string | null;
  end: End;
  at_ms: number;
}

/** Where the bound lies: what is not after it was pruned, or would have been. */
interface Edge {
  atMs: number;
  key: string;
}
const EDGE = 'outcomes.edge';

export function createOutcomeBook(store: KernelStore, keptMax: number): OutcomeBook {
  const { db } = store;
  const find = db.prepare('SELECT playbook, told, incident, end, at_ms FROM outcome WHERE key = ?');
  const insert = db.prepare(
    'INSERT INTO outcome (key, playbook, told, incident, kind, end, took_ms, at_ms, by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
  );
  // Said by several: the earliest time, and what only one of them knew.
  const merge = db.prepare(
    `UPDATE outcome SET told = coalesce(told, ?2), incident = coalesce(incident, ?3), kind = coalesce(kind, ?4), at_ms = min(at_ms, ?5),
      took_ms = min(took_ms, ?6), by = min(by, ?7) WHERE key = ?1`,
  );
  const resolve = db.prepare('UPDATE outcome SET kind = ?2 WHERE incident = ?1 AND kind IS NULL');
  const tally = db.prepare(
    'SELECT signature, end, day, count(*) AS count FROM outcome WHERE playbook = ? AND signature IS NOT NULL GROUP BY end, day, signature',
  );
  const statistic = db.prepare(`
    SELECT signature, playbook, max(at_ms) AS lastMs, avg(CASE WHEN end = 'healed' THEN took_ms END) AS healedInMs,
      sum(end = 'healed') AS healed, sum(end = 'not_healed') AS not_healed, sum(end = 'made_worse') AS made_worse,
      sum(end = 'refused') AS refused, sum(end = 'interrupted') AS interrupted
    FROM outcome WHERE signature IS NOT NULL AND (?1 IS NULL OR signature = ?1) AND (?2 IS NULL OR playbook = ?2)
      AND (?3 IS NULL OR (signature, playbook) > (?3, ?4))
    GROUP BY signature, playbook ORDER BY signature, playbook LIMIT ?5`);
  const bySignature = db.prepare(
    'SELECT DISTINCT signature AS name FROM outcome WHERE signature IS NOT NULL LIMIT 10000',
  );
  const byPlaybook = db.prepare('SELECT DISTINCT playbook AS name FROM outcome LIMIT 10000');
  const unresolved = db.prepare(
    'SELECT incident FROM outcome WHERE signature IS NULL AND incident IS NOT NULL GROUP BY incident ORDER BY max(at_ms) DESC LIMIT ?',
  );
  const counts = db.prepare('SELECT count(*) AS kept, coalesce(sum(signature IS NULL), 0) AS waiting FROM outcome');
  const total = db.prepare('SELECT count(*) AS kept FROM outcome');
  const oldest = db.prepare('SELECT key, at_ms AS atMs FROM outcome ORDER BY at_ms, key LIMIT 1 OFFSET ?');
  const cut = db.prepare('DELETE FROM outcome WHERE (at_ms, key) <= (?, ?)');
  const remove = db.prepare('DELETE FROM outcome WHERE key = ?');
  const names = (rows: unknown): string[] => (rows as { name: string }[]).map(({ name }) => name);

  return {
    take(outcome, kind, isLate) {
      const { key, playbook, signature, incident, end, tookMs, atMs, by } = outcome;
      const known = find.get(key) as unknown as Row | undefined;
      if (known) {
        const differs = differing(known, outcome);
        if (differs !== undefined)
          throw new GraceError('CONFLICT', `"${key}" stands for another outcome: its ${differs} differs`, { key });
        merge.run(key, signature, incident, kind, atMs, tookMs, by);
        return 'repeated';
      }
      const edge = isLate ? store.get<Edge>(EDGE) : undefined;
      if (edge && (atMs < edge.atMs || (atMs === edge.atMs && key <= edge.key))) return 'forgotten';
      insert.run(key, playbook, signature, incident, kind, end, tookMs, atMs, by);
      return 'new';
    },
    resolve: (incident, kind) => void resolve.run(incident, kind),
    tallies(playbook) {
      const found = new Map<string, Tally[]>();
      for (const row of tally.all(playbook)) {
        const { signature, ...one } = row as unknown as Tally & { signature: string };
        const list = found.get(signature);
        if (list) list.push(one);
        else found.set(signature, [one]);
      }
      return found;
    },
    statistics({ signature, playbook, after, limit }) {
      const rows = statistic.all(
        signature ?? null,
        playbook ?? null,
        after?.signature ?? null,
        after?.playbook ?? null,
        limit,
      ) as unknown as (Pair & Record<End, number> & { lastMs: number; healedInMs: number | null })[];
      return rows.map(({ signature: s, playbook: p, lastMs, healedInMs, ...ends }) => ({
        signature: s,
        playbook: p,
        counts: ends,
        lastMs,
        healedInMs,
      }));
    },
    signatures: () => names(bySignature.all()),
    playbooks: () => names(byPlaybook.all()),
    has: (key) => find.get(key) !== undefined,
    unresolved: (limit) => (unresolved.all(limit) as { incident: string }[]).map(({ incident }) => incident),
    prune() {
      const { kept } = total.get() as { kept: number };
      if (kept <= keptMax) return;
      const edge = oldest.get(kept - keptMax - 1) as unknown as Edge;
      cut.run(edge.atMs, edge.key);
      store.set(EDGE, edge);
    },
    forget: (key) => void remove.run(key),
    counts: () => ({ ...(counts.get() as { kept: number; waiting: number }) }),
  };
}

function differing(known: Row, given: Outcome): string | undefined {
  if (known.playbook !== given.playbook) return 'playbook';
  if (known.end !== given.end) return 'outcome';
  if (known.told !== null && given.signature !== null && known.told !== given.signature) return 'signature';
  if (known.incident !== null && given.incident !== null && known.incident !== given.incident) return 'incident';
  return undefined;
}
