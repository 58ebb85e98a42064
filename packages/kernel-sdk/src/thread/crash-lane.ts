import type { Redactor } from '@grace/contracts';

/**
 * Leaves secrets out of the error that ends this thread, before Node writes it down for the cell. An error is changed in place, so handlers
 * a kernel has of its own see the same one; what cannot be changed, a thrown text for example, is replaced where nobody else would handle it.
 */
export function redactCrashes(redactor: Redactor): void {
  process.on('uncaughtExceptionMonitor', (error: unknown) => {
    const clean = redactor.error(error);
    if (clean !== error && process.listenerCount('uncaughtException') === 0) throw clean;
  });
}
