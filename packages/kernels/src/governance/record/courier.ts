import type { KernelContext } from '@grace/kernel-sdk';
import type { ActJournal } from './journal.ts';

const SUBJECT = 'audit.governance';
const DEADLINE_MS = 5000;
const RETRY_MS = 1000;

export interface Courier {
  /** Something was written. */
  wake(): void;
  /** Resolves when everything was passed on, or the first failure. */
  finish(): Promise<void>;
  status(): { unsent: number; lastError: string | null };
}

/** Passes acts on to the audit record: in order, until the broker has accepted each, however often that takes. */
export function createCourier(ctx: KernelContext, journal: ActJournal): Courier {
  let lastError: string | null = null;
  let running: Promise<void> | undefined;

  const run = async (): Promise<void> => {
    for (;;) {
      const messages = journal.next();
      if (messages.length === 0) return;
      await Promise.all(
        messages.map(({ id, entry }) => ctx.bus.publish(SUBJECT, entry, { id, deadlineMs: DEADLINE_MS })),
      );
      journal.sent(messages);
      lastError = null;
    }
  };
  const wake = (): void => {
    running ??= run()
      .catch((error: Error) => {
        if (lastError !== error.message)
          ctx.log.warn('the audit record could not be reached', { error: error.message });
        lastError = error.message;
      })
      .finally(() => {
        running = undefined;
      });
  };
  ctx.every(RETRY_MS, () => {
    if (journal.unsent() > 0) wake();
  });

  return {
    wake,
    async finish() {
      wake();
      await running;
    },
    status: () => ({ unsent: journal.unsent(), lastError }),
  };
}
