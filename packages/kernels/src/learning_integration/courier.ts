import type { KernelContext } from '@grace/kernel-sdk';

export const COURIER_TABLES = `
  CREATE TABLE unsaid (seq INTEGER PRIMARY KEY AUTOINCREMENT, body TEXT NOT NULL);
`;

const WAITING_MAX = 500;
const DEADLINE_MS = 3000;
const RETRY_MS = 5000;
const TOGETHER = 16;

/** A decision as clarity_framework's verb `record` takes it. `key`: said twice, it is the same. */
export interface Decision {
  what: string;
  why: string;
  how?: string;
  where?: string;
  alternatives?: { what: string; whyNot: string }[];
  evidence?: { incidents?: string[]; records?: number[] };
  confidence?: number;
  correlation?: string;
  key: string;
}

/** Tells clarity_framework what was decided. While that is away decisions wait on disk; of more than 500 the oldest go untold. */
export interface Courier {
  /** Within a transaction of the caller. */
  put(decision: Decision): void;
  /** Something was put, and the transaction is over. */
  wake(): void;
  waiting(): number;
}

export function createCourier(ctx: KernelContext): Courier {
  const { db } = ctx.store;
  const insert = db.prepare('INSERT INTO unsaid (body) VALUES (?)');
  const prune = db.prepare(`DELETE FROM unsaid WHERE seq <= (SELECT max(seq) FROM unsaid) - ${WAITING_MAX}`);
  const next = db.prepare('SELECT seq, body FROM unsaid ORDER BY seq LIMIT ?');
  const remove = db.prepare('DELETE FROM unsaid WHERE seq = ?');
  const count = db.prepare('SELECT count(*) AS n FROM unsaid');
  let running: Promise<void> | undefined;
  let retry: NodeJS.Timeout | undefined;

  const run = async (): Promise<void> => {
    while (!ctx.signal.aborted) {
      const batch = next.all(TOGETHER) as { seq: number; body: string }[];
      if (batch.length === 0) return;
      for (const { seq, body } of batch) {
        const { correlation, ...said } = JSON.parse(body) as Decision;
        const options = { deadlineMs: DEADLINE_MS, ...(correlation === undefined ? {} : { correlation }) };
        try {
          await ctx.call('clarity_framework', 'record', said, options);
        } catch (error) {
          // What it does not take as it stands it will never take.
          const { code } = error as { code?: string };
          if (code !== 'BAD_INPUT' && code !== 'CONFLICT' && code !== 'TOO_LARGE') throw error;
          ctx.log.warn('a decision was not taken', { key: said.key, error: (error as Error).message });
        }
        if (ctx.signal.aborted) return;
        remove.run(seq);
      }
    }
  };
  const wake = (): void => {
    if (running || ctx.signal.aborted) return;
    clearTimeout(retry);
    running = run()
      .catch((error: Error) => {
        ctx.log.debug('clarity_framework was not told', { error: error.message });
        if (!ctx.signal.aborted) retry = setTimeout(wake, RETRY_MS);
      })
      .finally(() => {
        running = undefined;
      });
  };
  ctx.signal.addEventListener('abort', () => clearTimeout(retry), { once: true });
  const waiting = (): number => (count.get() as { n: number }).n;
  if (waiting() > 0) wake();
  return {
    put(decision) {
      insert.run(JSON.stringify(decision));
      prune.run();
    },
    wake,
    waiting,
  };
}
