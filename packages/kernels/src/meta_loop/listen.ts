import type { KernelContext } from '@grace/kernel-sdk';
import type { Book } from './record/book.ts';

const DEADLINE_MS = 1000;
const RETRY_MS = 5000;

/** Hears that an incident was closed, and what is told of pressure. Everything else is read off the journal when it is needed. */
export async function listen(ctx: KernelContext, book: Book, onClosed: () => void): Promise<void> {
  const hear: Record<string, (payload: unknown, atMs: number) => void> = {
    'system.events.incident.close': onClosed,
    'telemetry.pressure.*': (payload) => {
      const { resource } = (payload ?? {}) as { resource?: unknown };
      if (typeof resource === 'string' && /^[a-z_]{1,64}$/.test(resource))
        book.keepPressure({ atMs: ctx.clock.wallMs(), resource });
    },
  };
  const open = new Set(Object.keys(hear));
  const tryOnce = async (): Promise<void> => {
    for (const pattern of open) {
      const handler = hear[pattern]!;
      await ctx.bus.subscribe(pattern, ({ payload, at }) => handler(payload, at), { deadlineMs: DEADLINE_MS });
      open.delete(pattern);
    }
  };
  await tryOnce().catch((error: Error) => ctx.log.warn('not heard yet', { patterns: [...open], error: error.message }));
  if (open.size === 0) return;
  ctx.every(RETRY_MS, async () => {
    if (open.size > 0) await tryOnce();
  });
}
