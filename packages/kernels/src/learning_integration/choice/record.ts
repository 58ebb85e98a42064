import type { KernelStore } from '@grace/kernel-sdk';
import type { Candidate } from './choose.ts';

export const CHOICE_TABLES = `
  CREATE TABLE choice (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, at_ms REAL NOT NULL, by TEXT NOT NULL, signature TEXT NOT NULL,
    incident TEXT, seed INTEGER NOT NULL, candidates TEXT NOT NULL, playbook TEXT NOT NULL, explored INTEGER NOT NULL
  );
`;

const CHOICES_MAX = 2000;

/** A choice with all it was drawn from, so that it can be drawn again. */
export interface Choice {
  id: string;
  atMs: number;
  by: string;
  signature: string;
  incident: string | null;
  seed: number;
  candidates: Candidate[];
  playbook: string;
  explored: boolean;
}

export interface ChoiceRecord {
  /** Within a transaction of the caller; the oldest that are too many go. */
  keep(choice: Choice): void;
  get(id: string): Choice | undefined;
  /** The newest first. */
  newest(limit: number): Choice[];
  counts(): { kept: number; explored: number };
}

export function createChoiceRecord(store: KernelStore): ChoiceRecord {
  const { db } = store;
  const insert = db.prepare(
    'INSERT INTO choice (id, at_ms, by, signature, incident, seed, candidates, playbook, explored) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
  );
  const prune = db.prepare('DELETE FROM choice WHERE seq <= (SELECT max(seq) FROM choice) - ?');
  const one = db.prepare('SELECT * FROM choice WHERE id = ?');
  const newest = db.prepare('SELECT * FROM choice ORDER BY seq DESC LIMIT ?');
  const counts = db.prepare('SELECT count(*) AS kept, coalesce(sum(explored), 0) AS explored FROM choice');
  return {
    keep({ id, atMs, by, signature, incident, seed, candidates, playbook, explored }) {
      insert.run(id, atMs, by, signature, incident, seed, JSON.stringify(candidates), playbook, explored ? 1 : 0);
      prune.run(CHOICES_MAX);
    },
    get(id) {
      const row = one.get(id) as Row | undefined;
      return row && revive(row);
    },
    newest: (limit) => (newest.all(limit) as unknown as Row[]).map(revive),
    counts: () => ({ ...(counts.get() as { kept: number; explored: number }) }),
  };
}

type Row = Omit<Choice, 'atMs' | 'candidates' | 'explored'> & {
  seq: number;
  at_ms: number;
  candidates: string;
  explored: number;
};

function revive({ seq: _, at_ms: atMs, candidates, explored, ...row }: Row): Choice {
  return { ...row, atMs, candidates: JSON.parse(candidates) as Candidate[], explored: explored === 1 };
}
