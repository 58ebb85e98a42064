import type { KernelContext } from './kernel.ts';

/** Has what waits on disk passed on, again and again, until whom it is for has taken it. */
export interface Courier {
  /** Something waits: to be called after the transaction that wrote it. */
  wake(): void;
  /** For `drain`. Resolves when nothing waits, after a failure, or when its time is over; what is left goes with the next life. */
  finish(): Promise<void>;
  /** Why it could not be passed on the last time; null: it was. */
  lastError(): string | null;
}

export interface CourierParts {
  /** Whom it is for, in the log. */
  to: string;
  /** What could not be passed on is tried again this often. */
  everyMs: number;
  waiting(): number;
  /**
   * Passes everything on that waits, and crosses it off; never called twice at once. Throws when something could not be passed on now. Who
   * ends between the two passes it on again: give each message an id that stays the same.
   */
  pass(): Promise<void>;
}

/** Half of what a kernel has for its drain, unless its manifest says otherwise. */
const FINISH_MS = 1000;

export function createCourier(ctx: Pick<KernelContext, 'every' | 'log' | 'signal'>, parts: CourierParts): Courier {
  const { to, everyMs, waiting, pass } = parts;
  let running: Promise<void> | undefined;
  let lastError: string | null = null;

  const run = async (): Promise<void> => {
    try {
      await pass();
      lastError = null;
    } catch (error) {
      const words = error instanceof Error ? error.message : String(error);
      // Said once, and not of what the end cuts off.
      if (words !== lastError && !ctx.signal.aborted) ctx.log.warn(`${to} could not be reached`, { error: words });
      lastError = words;
    }
  };
  const wake = (): void => {
    running ??= run().finally(() => {
      running = undefined;
    });
  };
  ctx.every(everyMs, () => {
    if (waiting() > 0) wake();
  });

  return {
    wake,
    lastError: () => lastError,
    async finish() {
      if (waiting() > 0) wake();
      const late = Promise.withResolvers<void>();
      const timer = setTimeout(late.resolve, FINISH_MS);
      await Promise.race([running, late.promise]);
      clearTimeout(timer);
    },
  };
}
