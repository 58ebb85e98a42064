import { randomUUID } from 'node:crypto';
import { GraceError } from '@grace/contracts';
import type { KernelStore } from '@grace/kernel-sdk';

/** Something that governance did, as it goes into the audit record. */
export interface Act {
  kind: 'decision' | 'approval' | 'permit' | 'policies' | 'drift';
  id: string;
  actor: string;
  action: string;
  resource: string;
  outcome: string;
  payload: Record<string, unknown>;
}

export interface KeptAct extends Act {
  seq: number;
  atMs: number;
}

/** What `immutable_log` takes, and the id that lets it take it once. */
export interface AuditMessage {
  id: string;
  entry: Record<string, unknown>;
}

/** Acts are kept here before they are answered, and passed on to the audit record in their order. */
export interface ActJournal {
  /** Within a transaction. @throws GraceError `CONFLICT` when too much waits to be passed on */
  write(act: Act, atMs: number): void;
  read(kind: Act['kind'] | undefined, limit: number): KeptAct[];
  find(id: string): KeptAct | undefined;
  /** The oldest that were not passed on; the same messages again until `sent`. Empty: all were. */
  next(): AuditMessage[];
  sent(messages: readonly AuditMessage[]): void;
  unsent(): number;
}

/** What has been passed on is kept for `decisions`, up to this many. */
const KEPT_MAX = 10_000;
/** Without an audit record to take them, decisions end here rather than go unaudited. */
const UNSENT_MAX = 100_000;
/** Up to this many go one by one, so that each can be searched for; more go together. */
const SINGLE_MAX = 16;
const TOGETHER_MAX = 200;
/** An entry of the audit record has at most 256 KiB. */
const TOGETHER_BYTES = 128 * 1024;

interface Row {
  seq: number;
  id: string;
  kind: Act['kind'];
  at_ms: number;
  body: string;
  batch: string | null;
}

export function createActJournal(store: KernelStore): ActJournal {
  const { db } = store;
  const insert = db.prepare('INSERT INTO record (id, kind, at_ms, body) VALUES (?, ?, ?, ?)');
  const oldest = db.prepare('SELECT * FROM record WHERE sent = 0 ORDER BY seq LIMIT ?');
  const byKind = db.prepare('SELECT * FROM record WHERE kind = ? ORDER BY seq DESC LIMIT ?');
  const any = db.prepare('SELECT * FROM record ORDER BY seq DESC LIMIT ?');
  const byId = db.prepare('SELECT * FROM record WHERE id = ?');
  const assign = db.prepare('UPDATE record SET batch = ? WHERE seq BETWEEN ? AND ?');
  const mark = db.prepare('UPDATE record SET sent = 1 WHERE batch = ?');
  const prune = db.prepare(`DELETE FROM record WHERE sent = 1 AND seq <= (SELECT max(seq) FROM record) - ${KEPT_MAX}`);
  const countUnsent = db.prepare('SELECT count(*) AS n FROM record WHERE sent = 0');
  let waiting = (countUnsent.get() as { n: number }).n;
  // A store that was lost begins to count anew; its messages must not be taken for those of the one before.
  const origin = store.get<string>('origin') ?? randomUUID().slice(0, 8);
  store.set('origin', origin);

  const batched = (): Row[] => {
    const rows = oldest.all(TOGETHER_MAX) as unknown as Row[];
    const batch = rows[0]?.batch;
    if (typeof batch === 'string') return rows.filter((row) => row.batch === batch);
    const free = rows.filter((row) => row.batch === null);
    if (free.length <= SINGLE_MAX) return free;
    let bytes = 0;
    return free.filter(({ body }, i) => {
      bytes += Buffer.byteLength(body) + 100;
      return i === 0 || bytes <= TOGETHER_BYTES;
    });
  };

  return {
    write({ kind, id, ...body }, atMs) {
      if (waiting >= UNSENT_MAX) {
        throw new GraceError(
          'CONFLICT',
          `${waiting} acts wait for the audit record; nothing is decided that could not be audited`,
        );
      }
      insert.run(id, kind, Math.floor(atMs), JSON.stringify(body));
      waiting++;
    },
    read: (kind, limit) => ((kind ? byKind.all(kind, limit) : any.all(limit)) as unknown as Row[]).map(kept),
    find(id) {
      const row = byId.get(id) as Row | undefined;
      return row && kept(row);
    },
    next() {
      const rows = batched();
      const [first] = rows;
      if (!first) return [];
      const last = rows.at(-1)!;
      const together = rows.length > SINGLE_MAX;
      // Which acts go together is kept before they go: after a crash the same messages go again.
      if (first.batch === null) {
        store.transaction(() => {
          if (together) assign.run(`${origin}-${first.seq}-${last.seq}`, first.seq, last.seq);
          else for (const { seq } of rows) assign.run(`${origin}-${seq}`, seq, seq);
        });
      }
      if (!together) return rows.map((row) => single(row, `${origin}-${row.seq}`));
      const id = first.batch ?? `${origin}-${first.seq}-${last.seq}`;
      return [combined(rows.map(kept), id)];
    },
    sent(messages) {
      store.transaction(() => {
        for (const { id } of messages) mark.run(id);
        prune.run();
      });
      waiting = (countUnsent.get() as { n: number }).n;
    },
    unsent: () => waiting,
  };
}

function single(row: Row, id: string): AuditMessage {
  const { actor, action, resource, outcome, payload, ...rest } = kept(row);
  return {
    id,
    entry: {
      actor,
      action,
      resource,
      subsystem: 'governance',
      outcome,
      payload: { ...rest, ...payload },
      idempotencyKey: id,
    },
  };
}

function combined(acts: readonly KeptAct[], id: string): AuditMessage {
  return {
    id,
    entry: {
      actor: 'governance',
      action: 'decide',
      resource: `${acts.length} acts`,
      subsystem: 'governance',
      outcome: 'decided',
      payload: { acts },
      idempotencyKey: id,
    },
  };
}

function kept({ seq, id, kind, at_ms, body }: Row): KeptAct {
  return { seq, id, kind, atMs: at_ms, ...(JSON.parse(body) as Omit<Act, 'id' | 'kind'>) };
}
