import type { MessageHandler } from '@grace/bus/client';
import type { KernelContext } from './kernel.ts';

/** Of one try to subscribe. */
const DEADLINE_MS = 1000;

/**
 * Subscribes to each of these patterns, and goes on trying while there is no broker: for what a kernel must hear and can be ready without.
 * Resolves after the first try.
 *
 * @param hear - Pattern to handler, as for `ctx.bus.subscribe`.
 * @param retryMs - Time between two tries.
 */
export async function hearAll(
  ctx: Pick<KernelContext, 'bus' | 'every' | 'log'>,
  hear: Readonly<Record<string, MessageHandler>>,
  retryMs: number,
): Promise<void> {
  const open = new Set(Object.keys(hear));
  const tryOnce = async (): Promise<void> => {
    for (const pattern of open) {
      await ctx.bus.subscribe(pattern, hear[pattern]!, { deadlineMs: DEADLINE_MS });
      open.delete(pattern);
    }
  };
  await tryOnce().catch((error: Error) => ctx.log.warn('not heard yet', { patterns: [...open], error: error.message }));
  if (open.size === 0) return;
  ctx.every(retryMs, async () => {
    if (open.size > 0) await tryOnce();
  });
}
