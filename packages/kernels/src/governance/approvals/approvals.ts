import { randomUUID } from 'node:crypto';
import { GraceError } from '@grace/contracts';
import type { KernelStore } from '@grace/kernel-sdk';
import type { Context, Question } from '../engine/question.ts';

export const APPROVAL_STATES = ['pending', 'approved', 'denied', 'used', 'expired'] as const;
export type ApprovalState = (typeof APPROVAL_STATES)[number];

/** A request for approval and what became of it. Times are wall ms. */
export interface Approval {
  id: string;
  principal: string;
  /** Who brought the request, where that is not the principal. */
  asker: string;
  action: string;
  resource: string;
  context: Context;
  reason: string;
  state: ApprovalState;
  requestedMs: number;
  /** Of a pending one: until when it can be decided. Of an approved one: until when it holds. */
  untilMs: number;
  decidedBy: string | null;
  decidedMs: number | null;
  note: string | null;
  /** Used up by the first permit it leads to. */
  single: boolean;
  uses: number;
}

/** All of these run within the caller's transaction. */
export interface Approvals {
  /** The request for this question: a new one, or the one that is open. */
  request(
    question: Question,
    digest: string,
    about: { asker: string; reason: string; untilMs: number },
    nowMs: number,
  ): { approval: Approval; isNew: boolean };
  /** What is pending or approved for this question. */
  open(digest: string, nowMs: number): Approval | undefined;
  /** @throws GraceError `NOT_FOUND` */
  get(id: string): Approval;
  /** @throws GraceError `CONFLICT` when it is not pending any more */
  approve(
    id: string,
    by: { principal: string; note: string | null; single: boolean; untilMs: number },
    nowMs: number,
  ): Approval;
  /** Also takes an approval back. @throws GraceError `CONFLICT` when there is nothing left to deny */
  deny(id: string, by: { principal: string; note: string | null }, nowMs: number): Approval;
  /** Counts a permit it led to. */
  use(id: string): Approval;
  /** Whether anything is past its time; cheap, and needs no transaction. */
  due(nowMs: number): boolean;
  /** Ends what is past its time: each once. */
  expire(nowMs: number): Approval[];
  list(state: ApprovalState | undefined, limit: number): Approval[];
  counts(): Record<string, number>;
}

const OPEN_MAX = 1000;
const OPEN_EACH_MAX = 100;
/** Those that ended are kept for `approvals`, up to this many. */
const ENDED_MAX = 5000;

interface Row {
  id: string;
  principal: string;
  asker: string;
  action: string;
  resource: string;
  context: string;
  reason: string;
  state: ApprovalState;
  requested_ms: number;
  until_ms: number;
  decided_by: string | null;
  decided_ms: number | null;
  note: string | null;
  single: number;
  uses: number;
}

export function createApprovals(store: KernelStore): Approvals {
  const { db } = store;
  const insert = db.prepare(
    `INSERT INTO approval (id, digest, principal, asker, action, resource, context, reason, state, requested_ms, until_ms)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'pending', ?, ?)`,
  );
  const byDigest = db.prepare(
    "SELECT * FROM approval WHERE digest = ? AND state IN ('pending', 'approved') AND until_ms > ?",
  );
  const byId = db.prepare('SELECT * FROM approval WHERE id = ?');
  const decide = db.prepare(
    'UPDATE approval SET state = ?, decided_by = ?, decided_ms = ?, note = ?, single = ?, until_ms = ? WHERE id = ?',
  );
  const useUp = db.prepare(
    "UPDATE approval SET uses = uses + 1, state = CASE single WHEN 1 THEN 'used' ELSE state END WHERE id = ? AND state = 'approved' RETURNING *",
  );
  const expireAll = db.prepare(
    "UPDATE approval SET state = 'expired' WHERE state IN ('pending', 'approved') AND until_ms <= ? RETURNING *",
  );
  const anyDue = db.prepare("SELECT 1 FROM approval WHERE state IN ('pending', 'approved') AND until_ms <= ? LIMIT 1");
  const newest = db.prepare('SELECT * FROM approval ORDER BY requested_ms DESC, id LIMIT ?');
  const newestIn = db.prepare('SELECT * FROM approval WHERE state = ? ORDER BY requested_ms DESC, id LIMIT ?');
  const counted = db.prepare('SELECT state, count(*) AS n FROM approval GROUP BY state');
  const openOf = db.prepare(
    "SELECT count(*) AS n, coalesce(sum(principal = ?), 0) AS mine FROM approval WHERE state IN ('pending', 'approved')",
  );
  const prune = db.prepare(
    `DELETE FROM approval WHERE state NOT IN ('pending', 'approved') AND id NOT IN
       (SELECT id FROM approval WHERE state NOT IN ('pending', 'approved') ORDER BY requested_ms DESC LIMIT ${ENDED_MAX})`,
  );

  const get = (id: string): Approval => {
    const row = byId.get(id) as Row | undefined;
    if (!row)
      throw new GraceError('NOT_FOUND', `there is no request ${JSON.stringify(id)}; grace approvals list shows them`, {
        id,
      });
    return approvalOf(row);
  };

  return {
    get,
    open(digest, nowMs) {
      const row = byDigest.get(digest, nowMs) as Row | undefined;
      return row && approvalOf(row);
    },
    request({ principal, action, resource, context }, digest, { asker, reason, untilMs }, nowMs) {
      const there = byDigest.get(digest, nowMs) as Row | undefined;
      if (there) return { approval: approvalOf(there), isNew: false };
      const { n, mine } = openOf.get(principal) as { n: number; mine: number };
      if (n >= OPEN_MAX || mine >= OPEN_EACH_MAX) {
        throw new GraceError(
          'CONFLICT',
          `${mine >= OPEN_EACH_MAX ? `${mine} requests of ${principal}` : `${n} requests`} are open already; they must be decided first`,
        );
      }
      const id = `apr-${randomUUID()}`;
      insert.run(id, digest, principal, asker, action, resource, JSON.stringify(context), reason, nowMs, untilMs);
      prune.run();
      return { approval: get(id), isNew: true };
    },
    approve(id, { principal, note, single, untilMs }, nowMs) {
      const { state } = get(id);
      if (state !== 'pending')
        throw new GraceError('CONFLICT', `request ${id} is ${state}, not pending`, { id, state });
      decide.run('approved', principal, nowMs, note, single ? 1 : 0, untilMs, id);
      return get(id);
    },
    deny(id, { principal, note }, nowMs) {
      const { state, single, untilMs } = get(id);
      if (state !== 'pending' && state !== 'approved') {
        throw new GraceError('CONFLICT', `request ${id} is ${state}; there is nothing left to deny`, { id, state });
      }
      decide.run('denied', principal, nowMs, note, single ? 1 : 0, untilMs, id);
      return get(id);
    },
    use(id) {
      const row = useUp.get(id) as Row | undefined;
      if (!row) throw new GraceError('CONFLICT', `approval ${id} holds no more`, { id });
      return approvalOf(row);
    },
    due: (nowMs) => anyDue.get(nowMs) !== undefined,
    expire: (nowMs) => (expireAll.all(nowMs) as unknown as Row[]).map(approvalOf),
    list: (state, limit) =>
      ((state ? newestIn.all(state, limit) : newest.all(limit)) as unknown as Row[]).map(approvalOf),
    counts: () =>
      Object.fromEntries((counted.all() as { state: string; n: number }[]).map(({ state, n }) => [state, n])),
  };
}

function approvalOf(row: Row): Approval {
  const { id, principal, asker, action, resource, reason, state, note, uses } = row;
  return {
    ...{ id, principal, asker, action, resource, reason, state, note, uses },
    context: JSON.parse(row.context) as Context,
    requestedMs: row.requested_ms,
    untilMs: row.until_ms,
    decidedBy: row.decided_by,
    decidedMs: row.decided_ms,
    single: row.single === 1,
  };
}
