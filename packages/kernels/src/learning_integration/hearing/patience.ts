import { setTimeout as pause } from 'node:timers/promises';
import type { KernelContext } from '@grace/kernel-sdk';

const RETRY_MS = 1000;
const RETRY_MAX_MS = 60_000;

/**
 * Work that is tried until it is done, with longer and longer pauses, one at a time. Asked for while it runs, it is done once more after it.
 * Resolves when it is done, or when the kernel ends.
 */
export function untilDone(
  ctx: KernelContext,
  what: string,
  work: () => Promise<void>,
): { (): Promise<void>; error(): string | null } {
  let running: Promise<void> | undefined;
  let isAsked = false;
  let lastError: string | null = null;

  const attempts = async (): Promise<void> => {
    for (let waitMs = RETRY_MS; !ctx.signal.aborted; waitMs = Math.min(2 * waitMs, RETRY_MAX_MS)) {
      try {
        await work();
        lastError = null;
        return;
      } catch (error) {
        if (ctx.signal.aborted) return;
        if (lastError === null) ctx.log.debug('not done yet', { what, error: (error as Error).message });
        lastError = (error as Error).message;
      }
      await pause(waitMs, undefined, { signal: ctx.signal }).catch(() => {});
    }
  };
  const ask = (): Promise<void> => {
    isAsked = true;
    running ??= (async () => {
      while (isAsked && !ctx.signal.aborted) {
        isAsked = false;
        await attempts();
      }
    })().finally(() => {
      running = undefined;
    });
    return running;
  };
  return Object.assign(ask, { error: () => lastError });
}
