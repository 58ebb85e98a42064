import { hearAll, type KernelContext } from '@grace/kernel-sdk';
import type { Archive } from './happenings/archive.ts';
import type { Happening } from './happenings/happening.ts';
import { happeningOf } from './happenings/happening.ts';
import type { Observation } from './trust/observation.ts';

const RETRY_MS = 2000;

/** What others say on the bus: the journal, and how contracts ended. Without a broker it goes on trying. */
export async function listen(
  ctx: KernelContext,
  archive: Archive,
  onHappening: (happening: Happening) => void,
  onObservation: (observation: Observation) => void,
): Promise<void> {
  await hearAll(
    ctx,
    {
      'system.events.>': ({ payload }) => {
        const happening = happeningOf(payload);
        if (!happening) return;
        archive.keep(happening);
        onHappening(happening);
      },
      'kernel.verification_framework.event.contract': ({ payload, at }) => {
        const { kernel, outcome } = (payload ?? {}) as { kernel?: unknown; outcome?: unknown };
        if (typeof kernel !== 'string' || (outcome !== 'kept' && outcome !== 'broken')) return;
        onObservation({
          component: kernel,
          source: 'contract',
          kept: outcome === 'kept',
          record: null,
          correlation: null,
          atMs: at,
        });
      },
    },
    RETRY_MS,
  );
}
