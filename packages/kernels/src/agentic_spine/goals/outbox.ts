import { toWireError } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';
import { words } from '../act/deed.ts';

/** What others are to know, on disk until they have taken it: entries of the audit record, and decisions for clarity_framework. */
export interface Outbox {
  /** Within a transaction of the caller. When too much waits, the oldest is let go and counted. */
  put(kind: 'audit' | 'decision', id: string, body: unknown): void;
  /** After the transaction: something may wait. */
  wake(): void;
  status(): { waiting: number; dropped: number; lastError: string | null };
  end(): Promise<void>;
}

export const OUTBOX_TABLES = `
  CREATE TABLE outbox (seq INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL);
`;

const WAITING_MAX = 2000;
const DEADLINE_MS = 2000;
const RETRY_MS = 2000;
/** Answers after which saying it again helps nothing. */
const HOPELESS = new Set([
  'BAD_INPUT',
  'TOO_LARGE',
  'CONFLICT',
  'NOT_FOUND',
  'FORBIDDEN',
  'BUS_TOO_LARGE',
  'BUS_DENIED',
]);

type Row = { seq: number; kind: 'audit' | 'decision'; id: string; body: string };

export function createOutbox(ctx: KernelContext): Outbox {
  const { db } = ctx.store;
  const insert = db.prepare('INSERT INTO outbox (kind, id, body) VALUES (?, ?, ?)');
  const next = db.prepare('SELECT seq, kind, id, body FROM outbox WHERE kind = ? ORDER BY seq LIMIT 1');
  const count = db.prepare('SELECT count(*) AS n FROM outbox');
  const remove = db.prepare('DELETE FROM outbox WHERE seq = ?');
  const shorten = db.prepare('DELETE FROM outbox WHERE seq <= (SELECT max(seq) FROM outbox) - ?');
  const waiting = (): number => (count.get() as { n: number }).n;
  let dropped = 0;
  let lastError: string | null = null;
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;

  const send = async ({ kind, id, body }: Row): Promise<void> => {
    const said: unknown = JSON.parse(body);
    if (kind === 'audit') await ctx.bus.publish(`audit.${ctx.id}`, said, { id, deadlineMs: DEADLINE_MS });
    else await ctx.call('clarity_framework', 'record', said, { deadlineMs: DEADLINE_MS });
  };
  /** In order; false: the other side is away. */
  const empty = async (kind: Row['kind']): Promise<boolean> => {
    for (;;) {
      if (ctx.signal.aborted) return true;
      const row = next.get(kind) as Row | undefined;
      if (!row) return true;
      try {
        await send(row);
      } catch (error) {
        if (ctx.signal.aborted) return true;
        if (!HOPELESS.has(toWireError(error).code)) {
          lastError = words(error);
          return false;
        }
        dropped++;
        ctx.log.warn('what was to be told is not taken', { kind, id: row.id, error: words(error) });
      }
      remove.run(row.seq);
    }
  };
  const run = async (): Promise<void> => {
    const all = await Promise.all([empty('audit'), empty('decision')]);
    if (all.every(Boolean)) lastError = null;
    else if (!ctx.signal.aborted) timer ??= setTimeout(again, RETRY_MS);
  };
  const wake = (): void => {
    if (ctx.signal.aborted || running || timer) return;
    running = run()
      .catch((error: unknown) => ctx.log.error('the outbox failed', { error: words(error) }))
      .finally(() => {
        running = undefined;
        if (!ctx.signal.aborted && !timer && waiting() > 0) wake();
      });
  };
  const again = (): void => {
    timer = undefined;
    wake();
  };
  return {
    put(kind, id, body) {
      insert.run(kind, id, JSON.stringify(body));
      if (waiting() > WAITING_MAX) dropped += Number(shorten.run(WAITING_MAX).changes);
    },
    wake,
    status: () => ({ waiting: waiting(), dropped, lastError }),
    async end() {
      clearTimeout(timer);
      await running;
    },
  };
}
