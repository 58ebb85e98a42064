import { createHash, randomUUID } from 'node:crypto';
import { didYouMean, GraceError } from '@grace/contracts';
import type { KernelStore } from '@grace/kernel-sdk';
import type { Decision, Statement } from './decision.ts';

/** An entry for the audit record, and the id that lets it be taken once. */
export interface AuditEntry {
  seq: number;
  id: string;
  entry: Record<string, unknown>;
}

/** Decisions on record: on disk before they are answered. */
export interface DecisionBook {
  /**
   * `key`: within one principal, what is there already under it is not written again.
   * @throws GraceError `CONFLICT` when the key was used for something else, or too much waits for the audit record; `NOT_FOUND` for evidence
   *   that names a decision nobody made
   */
  record(
    statement: Statement,
    by: string,
    nowMs: number,
    key?: string,
  ): { id: string; atMs: number; repeated: boolean };
  /** @throws GraceError `NOT_FOUND` with the nearest id */
  get(id: string): Decision;
  find(id: string): Decision | undefined;
  ofIncident(id: string): Decision[];
  ofCorrelation(correlation: string): Decision[];
  /** Decisions that name this one as their evidence. */
  followers(id: string): Decision[];
  /** The newest first. */
  list(query: DecisionQuery): Decision[];
  /** The oldest that the audit record has not taken. */
  unsent(limit: number): AuditEntry[];
  sent(seqs: readonly number[]): void;
  counts(): { kept: number; unsent: number };
  /** Takes a decision back that was never meant to last; the functional probe's own. */
  forget(id: string): void;
}

export interface DecisionQuery {
  fromMs: number;
  toMs: number;
  by?: string;
  where?: string;
  correlation?: string;
  limit: number;
}

export const DECISION_TABLES = `
  CREATE TABLE decision (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, at_ms REAL NOT NULL, by TEXT NOT NULL, place TEXT, correlation TEXT,
    key TEXT, digest TEXT NOT NULL, body TEXT NOT NULL, sent INTEGER NOT NULL DEFAULT 0
  );
  CREATE UNIQUE INDEX decision_key ON decision (by, key) WHERE key IS NOT NULL;
  CREATE INDEX decision_at ON decision (at_ms);
  CREATE INDEX decision_correlation ON decision (correlation) WHERE correlation IS NOT NULL;
  CREATE INDEX decision_unsent ON decision (seq) WHERE sent = 0;
  CREATE TABLE ground (kind TEXT NOT NULL, ref TEXT NOT NULL, decision INTEGER NOT NULL, PRIMARY KEY (kind, ref, decision)) WITHOUT ROWID;
  CREATE INDEX ground_decision ON ground (decision);
`;

/** What the audit record has is kept for explaining up to this many. */
const KEPT_MAX = 50_000;
/** More are not taken while the audit record takes none: a decision that is not on the record is none. */
const UNSENT_MAX = 20_000;
/** Names compared when an id is not there. */
const NAMES = 1000;
const STORY_MAX = 100;
/** `sent` of a decision of the probe: it never goes to the audit record. */
const PROBE = 2;

interface Row {
  seq: number;
  id: string;
  at_ms: number;
  by: string;
  body: string;
}

export function createDecisionBook(store: KernelStore): DecisionBook {
  const { db } = store;
  const insert = db.prepare(
    'INSERT INTO decision (id, at_ms, by, place, correlation, key, digest, body, sent) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
  );
  const ground = db.prepare('INSERT OR IGNORE INTO ground (kind, ref, decision) VALUES (?, ?, ?)');
  const keyed = db.prepare('SELECT id, at_ms, digest FROM decision WHERE by = ? AND key = ?');
  const byId = db.prepare('SELECT * FROM decision WHERE id = ?');
  const names = db.prepare('SELECT id FROM decision WHERE sent < 2 ORDER BY seq DESC LIMIT ?');
  const grounded = db.prepare(
    'SELECT decision.* FROM ground JOIN decision ON decision.seq = ground.decision WHERE kind = ? AND ref = ? ORDER BY decision.seq LIMIT ?',
  );
  const correlated = db.prepare('SELECT * FROM decision WHERE correlation = ? ORDER BY seq LIMIT ?');
  const within = db.prepare(`
    SELECT * FROM decision WHERE sent < 2 AND at_ms BETWEEN ?1 AND ?2 AND (?3 IS NULL OR by = ?3) AND (?4 IS NULL OR place = ?4)
      AND (?5 IS NULL OR correlation = ?5) ORDER BY at_ms DESC, seq DESC LIMIT ?6`);
  const oldest = db.prepare('SELECT * FROM decision WHERE sent = 0 ORDER BY seq LIMIT ?');
  const mark = db.prepare('UPDATE decision SET sent = 1 WHERE seq = ?');
  const surplus = db.prepare('SELECT seq FROM decision WHERE sent = 1 ORDER BY seq LIMIT ?');
  const dropGround = db.prepare('DELETE FROM ground WHERE decision = ?');
  const drop = db.prepare('DELETE FROM decision WHERE seq = ?');
  const countAll = db.prepare('SELECT count(*) AS n FROM decision');
  const countUnsent = db.prepare('SELECT count(*) AS n FROM decision WHERE sent = 0');
  // A life before may have ended between the probe's decision and its end.
  for (const { seq } of db.prepare('SELECT seq FROM decision WHERE sent = 2').all() as { seq: number }[]) {
    dropGround.run(seq);
    drop.run(seq);
  }
  const counts = (): { kept: number; unsent: number } => ({
    kept: (countAll.get() as { n: number }).n,
    unsent: (countUnsent.get() as { n: number }).n,
  });
  const held = counts();

  const find = (id: string): Decision | undefined => {
    const row = byId.get(id) as Row | undefined;
    return row && decisionOf(row);
  };
  const unknown = (id: string): GraceError => {
    const known = (names.all(NAMES) as { id: string }[]).map((row) => row.id);
    const short = id.slice(0, 60);
    return new GraceError('NOT_FOUND', `no decision has the id ${JSON.stringify(short)}${didYouMean(short, known)}`, {
      id: short,
    });
  };

  return {
    record(statement, by, nowMs, key) {
      const digest = createHash('sha256').update(JSON.stringify(statement)).digest('base64url');
      for (const id of statement.evidence.decisions) if (!find(id)) throw unknown(id);
      const answer = store.transaction(() => {
        const earlier = key === undefined ? undefined : (keyed.get(by, key) as (Row & { digest: string }) | undefined);
        if (earlier) {
          if (earlier.digest === digest) return { id: earlier.id, atMs: earlier.at_ms, repeated: true };
          throw new GraceError(
            'CONFLICT',
            `input.key: ${by} used ${JSON.stringify(key)} before, for ${earlier.id} with other content`,
            {
              id: earlier.id,
            },
          );
        }
        if (held.unsent >= UNSENT_MAX) {
          throw new GraceError('CONFLICT', `${held.unsent} decisions wait for the audit record; no more are taken`, {
            waiting: held.unsent,
          });
        }
        const id = `decision-${randomUUID()}`;
        const { where, correlation, evidence } = statement;
        const body = JSON.stringify(statement);
        const { lastInsertRowid: seq } = insert.run(
          ...([
            id,
            nowMs,
            by,
            where,
            correlation,
            key ?? null,
            digest,
            body,
            by === PROBE_PRINCIPAL ? PROBE : 0,
          ] as const),
        );
        for (const ref of evidence.incidents) ground.run('incident', ref, seq);
        for (const ref of evidence.decisions) ground.run('decision', ref, seq);
        return { id, atMs: nowMs, repeated: false };
      });
      if (!answer.repeated) {
        held.kept++;
        if (by !== PROBE_PRINCIPAL) held.unsent++;
      }
      return answer;
    },
    get(id) {
      const found = find(id);
      if (!found) throw unknown(id);
      return found;
    },
    find,
    ofIncident: (id) => (grounded.all('incident', id, STORY_MAX) as unknown as Row[]).map(decisionOf),
    ofCorrelation: (correlation) => (correlated.all(correlation, STORY_MAX) as unknown as Row[]).map(decisionOf),
    followers: (id) => (grounded.all('decision', id, STORY_MAX) as unknown as Row[]).map(decisionOf),
    list: ({ fromMs, toMs, by, where, correlation, limit }) => {
      const rows = within.all(fromMs, toMs, by ?? null, where ?? null, correlation ?? null, limit);
      return (rows as unknown as Row[]).map(decisionOf);
    },
    unsent: (limit) => (oldest.all(limit) as unknown as Row[]).map(entryOf),
    sent(seqs) {
      store.transaction(() => {
        for (const seq of seqs) mark.run(seq);
        const over = counts().kept - KEPT_MAX;
        for (const { seq } of over > 0 ? (surplus.all(over) as { seq: number }[]) : []) {
          dropGround.run(seq);
          drop.run(seq);
        }
      });
      Object.assign(held, counts());
    },
    counts: () => ({ ...held }),
    forget(id) {
      const row = byId.get(id) as Row | undefined;
      if (!row) return;
      store.transaction(() => {
        dropGround.run(row.seq);
        drop.run(row.seq);
      });
      Object.assign(held, counts());
    },
  };
}

/** Not a name the wire gives to anybody: principals are words. */
export const PROBE_PRINCIPAL = '(probe)';

function decisionOf({ id, at_ms: atMs, by, body }: Row): Decision {
  return { id, by, atMs, ...(JSON.parse(body) as Statement) };
}

function entryOf(row: Row): AuditEntry {
  const { id, by, what, where, ...rest } = decisionOf(row);
  return {
    seq: row.seq,
    id,
    entry: {
      actor: by,
      action: 'decide',
      resource: where ?? id,
      subsystem: 'clarity_framework',
      outcome: 'recorded',
      payload: { id, what, where, ...rest },
      idempotencyKey: id,
    },
  };
}
