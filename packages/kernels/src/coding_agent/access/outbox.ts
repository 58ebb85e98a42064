import { GraceError } from '@grace/contracts';
import { type Courier, createCourier, type KernelContext } from '@grace/kernel-sdk';

export const OUTBOX_TABLE =
  'CREATE TABLE outbox (id INTEGER PRIMARY KEY AUTOINCREMENT, way TEXT NOT NULL, entry TEXT NOT NULL)';

export interface AuditEntry {
  actor: string;
  action: string;
  resource: string;
  outcome: string;
  payload?: Record<string, unknown>;
}

const REFUSED: readonly string[] = ['BAD_INPUT', 'TOO_LARGE', 'BUS_TOO_LARGE'];

type Way = 'audit' | 'decision';

const SUBJECT = 'audit.coding_agent';
const BATCH = 50;
const RETRY_MS = 2000;
const DEADLINE_MS = 3000;
/** Decisions that wait for clarity_framework; beyond it the oldest are dropped and counted. Entries of the audit record are never dropped. */
const DECISIONS_MAX = 1000;

export type Outbox = ReturnType<typeof createOutbox>;

/**
 * What others keep: entries of the audit record, and decisions. Written in the transaction of what they tell, passed on until they are taken,
 * in order; neither an absent receiver nor a crash loses one. Ids and keys stay the same, so what goes out twice is kept once.
 */
export function createOutbox(ctx: KernelContext) {
  const { db } = ctx.store;
  const insert = db.prepare('INSERT INTO outbox (way, entry) VALUES (?, ?)');
  const next = db.prepare('SELECT id, entry FROM outbox WHERE way = ? ORDER BY id LIMIT ?');
  const remove = db.prepare('DELETE FROM outbox WHERE id = ?');
  const count = db.prepare('SELECT count(*) AS n FROM outbox WHERE way = ?');
  const trim = db.prepare(
    "DELETE FROM outbox WHERE way = 'decision' AND id <= (SELECT max(id) FROM outbox WHERE way = 'decision') - ?",
  );
  // Ids of rows begin anew in another store; this keeps its messages apart.
  const life = ctx.store.get<string>('outbox_life') ?? crypto.randomUUID().slice(0, 13);
  ctx.store.set('outbox_life', life);
  const waiting = { audit: 0, decision: 0 };
  let dropped = 0;
  const recount = (): void => {
    for (const way of ['audit', 'decision'] as const) waiting[way] = Number(count.get(way)!['n']);
  };
  recount();

  const pass: Record<Way, (id: number, entry: Record<string, unknown>) => Promise<unknown>> = {
    audit: (id, entry) =>
      ctx.bus.publish(SUBJECT, entry, { id: `coding_agent.${life}.${id}`, deadlineMs: DEADLINE_MS }),
    decision: (id, entry) =>
      ctx.call(
        'clarity_framework',
        'record',
        { ...entry, key: `coding_agent.${life}.${id}` },
        { deadlineMs: DEADLINE_MS },
      ),
  };
  const send = async (way: Way): Promise<void> => {
    for (;;) {
      const rows = next.all(way, BATCH) as { id: number; entry: string }[];
      if (rows.length === 0) return;
      for (const { id, entry } of rows) {
        await pass[way](id, JSON.parse(entry)).catch((error: unknown) => {
          // Refused for what it says: it would be refused for ever, and hold up all behind it.
          if (!(error instanceof GraceError) || !REFUSED.includes(error.code)) throw error;
          dropped++;
          ctx.log.error(`an entry for the ${way} record was refused`, { error: error.message });
        });
        remove.run(id);
      }
    }
  };
  const courier = (way: Way): Courier =>
    createCourier(ctx, {
      to: `the ${way} record`,
      everyMs: RETRY_MS,
      waiting: () => waiting[way],
      pass: () => send(way).finally(recount),
    });
  const couriers = { audit: courier('audit'), decision: courier('decision') };
  const wake = (): void => {
    for (const one of Object.values(couriers)) one.wake();
  };

  return {
    /** Within the caller's transaction; `wake` after it. */
    audit(entry: AuditEntry): void {
      insert.run('audit', JSON.stringify({ ...entry, subsystem: 'coding_agent' }));
      waiting.audit++;
    },
    decision(entry: Record<string, unknown>): void {
      insert.run('decision', JSON.stringify(entry));
      waiting.decision++;
      if (waiting.decision > DECISIONS_MAX) dropped += Number(trim.run(DECISIONS_MAX).changes);
    },
    wake,
    async finish(): Promise<void> {
      await Promise.all(Object.values(couriers).map((one) => one.finish()));
    },
    status: () => ({
      audit: waiting.audit,
      decisions: waiting.decision,
      dropped,
      lastError: couriers.audit.lastError() ?? couriers.decision.lastError(),
    }),
  };
}
