import type { KernelStore } from '@grace/kernel-sdk';
import type { Act } from './act.ts';
import type { Episode } from './pattern.ts';

export const HANDWORK_TABLES = `
  CREATE TABLE incident (
    id TEXT PRIMARY KEY, kind TEXT, subject TEXT, opened_seq INTEGER, opened_ms REAL, closed_seq INTEGER, seen_ms REAL NOT NULL
  ) WITHOUT ROWID;
  CREATE INDEX incident_seen ON incident (seen_ms);
  CREATE TABLE act (
    seq INTEGER NOT NULL, at_ms REAL NOT NULL, name TEXT NOT NULL, target TEXT NOT NULL, cell TEXT, by TEXT NOT NULL, period_ms REAL,
    PRIMARY KEY (seq, at_ms)
  ) WITHOUT ROWID;
`;

const INCIDENTS_MAX = 2000;
const ACTS_MAX = 2000;

export interface Opened {
  id: string;
  kind: string;
  subject: string;
  seq: number;
  atMs: number;
}

/** Incidents and what people did meanwhile. Calls that write stand within a transaction of the caller; each may come twice, in any order. */
export interface HandworkBook {
  opened(incident: Opened): void;
  closed(id: string, seq: number, atMs: number): void;
  did(act: Act): void;
  kindOf(incident: string): string | null;
  episodes(): Episode[];
  acts(): Act[];
  /** Removes the oldest that are too many. */
  prune(): void;
}

export function createHandworkBook(store: KernelStore): HandworkBook {
  const { db } = store;
  const open = db.prepare(`
    INSERT INTO incident (id, kind, subject, opened_seq, opened_ms, seen_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?5)
    ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, subject = excluded.subject, opened_seq = excluded.opened_seq,
      opened_ms = excluded.opened_ms, seen_ms = max(seen_ms, excluded.seen_ms)`);
  const close = db.prepare(`
    INSERT INTO incident (id, closed_seq, seen_ms) VALUES (?1, ?2, ?3)
    ON CONFLICT (id) DO UPDATE SET closed_seq = excluded.closed_seq, seen_ms = max(seen_ms, excluded.seen_ms)`);
  const act = db.prepare(
    'INSERT INTO act (seq, at_ms, name, target, cell, by, period_ms) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING',
  );
  const kind = db.prepare('SELECT kind FROM incident WHERE id = ?');
  const episodes = db.prepare(`
    SELECT id, kind, subject, opened_seq AS openedSeq, opened_ms AS openedMs, closed_seq AS closedSeq,
      EXISTS (SELECT 1 FROM outcome WHERE outcome.incident = incident.id AND outcome.end = 'healed') AS healed
    FROM incident WHERE kind IS NOT NULL`);
  const acts = db.prepare('SELECT seq, at_ms AS atMs, name, target, cell, by, period_ms AS periodMs FROM act');
  const pruneIncidents = db.prepare(`
    DELETE FROM incident WHERE id IN (SELECT id FROM incident ORDER BY seen_ms DESC, id LIMIT -1 OFFSET ${INCIDENTS_MAX})`);
  const pruneActs = db.prepare(`
    DELETE FROM act WHERE (seq, at_ms) IN (SELECT seq, at_ms FROM act ORDER BY at_ms DESC, seq DESC LIMIT -1 OFFSET ${ACTS_MAX})`);
  return {
    opened: ({ id, kind, subject, seq, atMs }) => void open.run(id, kind, subject, seq, atMs),
    closed: (id, seq, atMs) => void close.run(id, seq, atMs),
    did: ({ seq, atMs, name, target, cell, by, periodMs }) => void act.run(seq, atMs, name, target, cell, by, periodMs),
    kindOf: (incident) => (kind.get(incident) as { kind: string | null } | undefined)?.kind ?? null,
    episodes: () =>
      (episodes.all() as unknown as (Omit<Episode, 'healed'> & { healed: number })[]).map((one) => ({
        ...one,
        healed: one.healed === 1,
      })),
    acts: () => acts.all() as unknown as Act[],
    prune() {
      pruneIncidents.run();
      pruneActs.run();
    },
  };
}
