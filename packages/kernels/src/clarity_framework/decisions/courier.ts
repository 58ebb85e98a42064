import type { KernelContext } from '@grace/kernel-sdk';
import type { DecisionBook } from './book.ts';

const SUBJECT = 'audit.clarity_framework';
const DEADLINE_MS = 5000;
const RETRY_MS = 1000;
/** At the end; what is not passed on by then goes with the next start. */
const FINISH_MS = 1000;
const TOGETHER = 64;

/** Passes decisions on to the audit record, in order, until the broker has accepted each. */
export interface Courier {
  /** Something was recorded. */
  wake(): void;
  /** Resolves when everything was passed on, or after the first failure, or when its time is over. */
  finish(): Promise<void>;
}

export function createCourier(ctx: KernelContext, book: DecisionBook): Courier {
  let running: Promise<void> | undefined;
  let lastError = '';

  const run = async (): Promise<void> => {
    for (;;) {
      const entries = book.unsent(TOGETHER);
      if (entries.length === 0) return;
      await Promise.all(
        entries.map(({ id, entry }) => ctx.bus.publish(SUBJECT, entry, { id, deadlineMs: DEADLINE_MS })),
      );
      book.sent(entries.map(({ seq }) => seq));
      lastError = '';
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
    if (book.counts().unsent > 0) wake();
  });
  return {
    wake,
    async finish() {
      if (book.counts().unsent > 0) wake();
      const late = Promise.withResolvers<void>();
      const timer = setTimeout(late.resolve, FINISH_MS);
      await Promise.race([running, late.promise]);
      clearTimeout(timer);
    },
  };
}
