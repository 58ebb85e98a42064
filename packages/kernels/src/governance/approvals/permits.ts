import { randomUUID } from 'node:crypto';
import { GraceError } from '@grace/contracts';
import type { KernelStore } from '@grace/kernel-sdk';

export const PERMIT_STATES = ['active', 'revoked', 'expired'] as const;
export type PermitState = (typeof PERMIT_STATES)[number];

/** Who may inject which faults, and use which subjects, until when. Wall ms. */
export interface DrillPermitRecord {
  id: string;
  holder: string;
  asker: string;
  faults: string[];
  subjects: string[];
  /** The decision that let it be issued. */
  decision: string;
  state: PermitState;
  fromMs: number;
  untilMs: number;
  endedMs: number | null;
}

/** All of these run within the caller's transaction. */
export interface Permits {
  issue(
    permit: Pick<DrillPermitRecord, 'holder' | 'asker' | 'faults' | 'subjects' | 'decision' | 'fromMs' | 'untilMs'>,
  ): DrillPermitRecord;
  /** @throws GraceError `NOT_FOUND` */
  get(id: string): DrillPermitRecord;
  /** @throws GraceError `NOT_FOUND`, `CONFLICT` when it has ended */
  revoke(id: string, nowMs: number): DrillPermitRecord;
  /** Whether anything is past its time; cheap, and needs no transaction. */
  due(nowMs: number): boolean;
  expire(nowMs: number): DrillPermitRecord[];
  list(state: PermitState | undefined, limit: number): DrillPermitRecord[];
  active(): number;
}

const ACTIVE_MAX = 100;
const ENDED_MAX = 1000;

interface Row {
  id: string;
  holder: string;
  asker: string;
  faults: string;
  subjects: string;
  decision: string;
  state: PermitState;
  from_ms: number;
  until_ms: number;
  ended_ms: number | null;
}

export function createPermits(store: KernelStore): Permits {
  const { db } = store;
  const insert = db.prepare(
    "INSERT INTO permit (id, holder, asker, faults, subjects, decision, state, from_ms, until_ms) VALUES (?, ?, ?, ?, ?, ?, 'active', ?, ?)",
  );
  const byId = db.prepare('SELECT * FROM permit WHERE id = ?');
  const end = db.prepare("UPDATE permit SET state = 'revoked', ended_ms = ? WHERE id = ?");
  const expireAll = db.prepare(
    "UPDATE permit SET state = 'expired', ended_ms = ? WHERE state = 'active' AND until_ms <= ? RETURNING *",
  );
  const anyDue = db.prepare("SELECT 1 FROM permit WHERE state = 'active' AND until_ms <= ? LIMIT 1");
  const newest = db.prepare('SELECT * FROM permit ORDER BY from_ms DESC, id LIMIT ?');
  const newestIn = db.prepare('SELECT * FROM permit WHERE state = ? ORDER BY from_ms DESC, id LIMIT ?');
  const countActive = db.prepare("SELECT count(*) AS n FROM permit WHERE state = 'active'");
  const prune = db.prepare(
    `DELETE FROM permit WHERE state <> 'active' AND id NOT IN (SELECT id FROM permit ORDER BY from_ms DESC LIMIT ${ENDED_MAX})`,
  );
  const active = (): number => (countActive.get() as { n: number }).n;
  const get = (id: string): DrillPermitRecord => {
    const row = byId.get(id) as Row | undefined;
    if (!row) throw new GraceError('NOT_FOUND', `there is no drill permit ${JSON.stringify(id)}`, { id });
    return permitOf(row);
  };

  return {
    active,
    get,
    issue({ holder, asker, faults, subjects, decision, fromMs, untilMs }) {
      if (active() >= ACTIVE_MAX) throw new GraceError('CONFLICT', `${ACTIVE_MAX} drill permits are active already`);
      const id = `drill-${randomUUID()}`;
      insert.run(id, holder, asker, JSON.stringify(faults), JSON.stringify(subjects), decision, fromMs, untilMs);
      prune.run();
      return get(id);
    },
    revoke(id, nowMs) {
      const { state } = get(id);
      if (state !== 'active') throw new GraceError('CONFLICT', `drill permit ${id} is ${state} already`, { id, state });
      end.run(nowMs, id);
      return get(id);
    },
    due: (nowMs) => anyDue.get(nowMs) !== undefined,
    expire: (nowMs) => (expireAll.all(nowMs, nowMs) as unknown as Row[]).map(permitOf),
    list: (state, limit) =>
      ((state ? newestIn.all(state, limit) : newest.all(limit)) as unknown as Row[]).map(permitOf),
  };
}

function permitOf({ from_ms, until_ms, ended_ms, faults, subjects, ...row }: Row): DrillPermitRecord {
  const { id, holder, asker, decision, state } = row;
  return {
    ...{ id, holder, asker, decision, state },
    faults: JSON.parse(faults) as string[],
    subjects: JSON.parse(subjects) as string[],
    fromMs: from_ms,
    untilMs: until_ms,
    endedMs: ended_ms,
  };
}
