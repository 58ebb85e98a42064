import { hearAll, type KernelContext } from '@grace/kernel-sdk';
import type { Book } from './record/book.ts';

const RETRY_MS = 5000;

/** Hears that an incident was closed, and what is told of pressure. Everything else is read off the journal when it is needed. */
export async function listen(ctx: KernelContext, book: Book, onClosed: () => void): Promise<void> {
  await hearAll(
    ctx,
    {
      'system.events.incident.close': onClosed,
      'telemetry.pressure.*': ({ payload }) => {
        const { resource } = (payload ?? {}) as { resource?: unknown };
        if (typeof resource === 'string' && /^[a-z_]{1,64}$/.test(resource))
          book.keepPressure({ atMs: ctx.clock.wallMs(), resource });
      },
    },
    RETRY_MS,
  );
}
