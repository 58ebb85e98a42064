import { GraceError } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';

/** What goes on the record: names and versions, never values. */
export interface AuditEntry {
  actor: string;
  action: string;
  resource: string;
  outcome: string;
  payload?: Record<string, unknown>;
}

export const AUDIT_TABLE = 'CREATE TABLE audit (id INTEGER PRIMARY KEY AUTOINCREMENT, entry TEXT NOT NULL)';

const SUBJECT = 'audit.secret_manager';
/** Entries that wait for the bus. Beyond it nothing is handed out any more: no access goes unrecorded. */
const WAITING_MAX = 50_000;
const BATCH = 100;
const RETRY_MS = 1000;
const PUBLISH_DEADLINE_MS = 3000;
/** Refusals of one principal that are recorded one by one in a second; further ones are summed up. */
const REFUSALS_PER_SECOND = 10;

/**
 * Access is recorded in the store before it happens, in the caller's transaction, and goes to the bus from there: neither a broker that is
 * away nor a crash loses a record. Messages keep their id, so one that goes out twice is kept once.
 */
export function createAudit(ctx: KernelContext) {
  const { db } = ctx.store;
  const insert = db.prepare('INSERT INTO audit (entry) VALUES (?)');
  const next = db.prepare('SELECT id, entry FROM audit ORDER BY id LIMIT ?');
  const remove = db.prepare('DELETE FROM audit WHERE id = ?');
  let waiting = Number(db.prepare('SELECT count(*) AS n FROM audit').get()!['n']);
  // Ids go on where the rows of an earlier life ended; the store's own age keeps them apart from those of another vault.
  const life =
    ctx.store.get<string>('audit_life') ?? `${Date.now().toString(36)}${Math.random().toString(36).slice(2, 10)}`;
  ctx.store.set('audit_life', life);
  let sending: Promise<void> | null = null;
  let failed = false;
  const refusals = new Map<string, { count: number; entry: AuditEntry }>();

  const write = (entry: AuditEntry): void => {
    if (waiting >= WAITING_MAX)
      throw new GraceError(
        'CONFLICT',
        `${WAITING_MAX} records of access wait for the bus; nothing is handed out before they are gone`,
      );
    insert.run(JSON.stringify({ ...entry, subsystem: 'secret_manager' }));
    waiting++;
  };
  const record = (entry: AuditEntry): void => ctx.store.transaction(() => write(entry));
  const send = async (): Promise<void> => {
    for (;;) {
      const rows = next.all(BATCH) as { id: number; entry: string }[];
      if (rows.length === 0) {
        waiting = 0;
        return;
      }
      for (const { id, entry } of rows) {
        await ctx.bus.publish(SUBJECT, JSON.parse(entry), {
          id: `secret_manager.${life}.${id}`,
          deadlineMs: PUBLISH_DEADLINE_MS,
        });
        remove.run(id);
        waiting--;
      }
    }
  };
  const flush = (): void => {
    if (sending || waiting === 0) return;
    sending = send()
      .then(() => {
        failed = false;
      })
      .catch((error: unknown) => {
        if (ctx.signal.aborted) return;
        if (!failed) ctx.log.warn('records of access wait for the bus', { waiting, error: String(error) });
        failed = true;
      })
      .finally(() => {
        sending = null;
      });
  };
  ctx.every(RETRY_MS, () => {
    for (const [actor, { count, entry }] of refusals) {
      if (count > REFUSALS_PER_SECOND)
        record({ ...entry, actor, payload: { ...entry.payload, further: count - REFUSALS_PER_SECOND } });
    }
    refusals.clear();
    flush();
  });

  return {
    /** Within the caller's transaction. @throws GraceError `CONFLICT` when too many wait */
    within: write,
    /** @throws GraceError `CONFLICT` when too many wait, `STORAGE_*` */
    record,
    /** A refusal, in a transaction of its own; a flood of them is summed up. */
    refuse(entry: AuditEntry): void {
      const seen = refusals.get(entry.actor) ?? { count: 0, entry };
      refusals.set(entry.actor, { count: seen.count + 1, entry });
      if (seen.count < REFUSALS_PER_SECOND) record(entry);
      flush();
    },
    flush,
    get waiting() {
      return waiting;
    },
    async end(): Promise<void> {
      await sending;
    },
  };
}

export type Audit = ReturnType<typeof createAudit>;
