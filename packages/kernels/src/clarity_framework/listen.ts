import type { KernelContext } from '@grace/kernel-sdk';
import type { Archive } from './happenings/archive.ts';
import type { Happening } from './happenings/happening.ts';
import { happeningOf } from './happenings/happening.ts';
import type { Observation } from './trust/observation.ts';

const DEADLINE_MS = 1000;
const RETRY_MS = 2000;

/** What others say on the bus: the journal, and how contracts ended. Without a broker it goes on trying. */
export async function listen(
  ctx: KernelContext,
  archive: Archive,
  onHappening: (happening: Happening) => void,
  onObservation: (observation: Observation) => void,
): Promise<void> {
  const hear: Record<string, (payload: unknown, atMs: number) => void> = {
    'system.events.>': (payload) => {
      const happening = happeningOf(payload);
      if (!happening) return;
      archive.keep(happening);
      onHappening(happening);
    },
    'kernel.verification_framework.event.contract': (payload, atMs) => {
      const { kernel, outcome } = (payload ?? {}) as { kernel?: unknown; outcome?: unknown };
      if (typeof kernel !== 'string' || (outcome !== 'kept' && outcome !== 'broken')) return;
      onObservation({
        component: kernel,
        source: 'contract',
        kept: outcome === 'kept',
        record: null,
        correlation: null,
        atMs,
      });
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
