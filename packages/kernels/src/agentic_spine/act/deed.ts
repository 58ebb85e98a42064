import { GraceError, toWireError } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';

/** A call with its templates filled in. */
export interface Deed {
  kernel: string;
  verb: string;
  input: unknown;
}

/**
 * How a call ended. refused: the message never reached the kernel, or it knows no such thing: certainly not done. failed: it answered with an
 * error, so part of it may have been done. unknown: no answer came.
 */
export type DeedEnd =
  | { outcome: 'done'; answer: unknown }
  | { outcome: 'refused' | 'failed' | 'unknown'; error: string; code: string };

/** Nobody is there at the moment: it was not done, and may be tried again. */
const AWAY = new Set(['BUS_NO_RESPONDERS', 'KERNEL_NOT_RUNNING', 'BUS_OVERLOADED']);
/** Certainly not done, and it will not be another time. */
const REFUSED = new Set([
  ...['BUS_DENIED', 'BUS_MUTED', 'BUS_TOO_LARGE', 'BUS_BAD_SUBJECT', 'UNKNOWN_VERB', 'UNKNOWN_KERNEL', 'BAD_INPUT'],
]);
/** No answer came; whether it was done is not known. */
const SILENT = new Set(['BUS_DEADLINE', 'BUS_CLOSED', 'DEADLINE', 'KERNEL_GONE', 'CELL_GONE', 'CONNECTION_CLOSED']);

const AGAIN_MS = 200;

/** Calls the verb; while nobody is there it waits, until the deadline. Never throws. */
export async function perform(
  ctx: Pick<KernelContext, 'call' | 'clock' | 'signal'>,
  { kernel, verb, input }: Deed,
  { deadlineMs, correlation }: { deadlineMs: number; correlation: string },
): Promise<DeedEnd> {
  const endMono = ctx.clock.monoMs() + deadlineMs;
  for (;;) {
    const leftMs = endMono - ctx.clock.monoMs();
    try {
      const answer = await ctx.call(kernel, verb, input, { deadlineMs: Math.max(1, Math.ceil(leftMs)), correlation });
      return { outcome: 'done', answer };
    } catch (error) {
      const { code } = toWireError(error);
      const isAway = AWAY.has(code);
      if (isAway && !ctx.signal.aborted && endMono - ctx.clock.monoMs() > AGAIN_MS) {
        await pause(AGAIN_MS, ctx.signal);
        continue;
      }
      const outcome = isAway || REFUSED.has(code) ? 'refused' : SILENT.has(code) ? 'unknown' : 'failed';
      return { outcome, error: words(error), code };
    }
  }
}

/** Resolves after `ms`, or when the kernel drains. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener('abort', done);
    if (signal.aborted) done();
  });
}

export function words(error: unknown): string {
  const code = error instanceof GraceError ? `${error.code}: ` : '';
  return `${code}${error instanceof Error ? error.message : String(error)}`.slice(0, 300);
}
