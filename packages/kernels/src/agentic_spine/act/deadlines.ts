import type { KernelContext } from '@grace/kernel-sdk';
import type { Book } from '../goals/book.ts';
import type { Runner } from './runner.ts';

/** A clock may be set, and timers count no further: looked at so often at least, and no more often, ms. */
const WATCH_MAX_MS = 10 * 60_000;
const WATCH_MIN_MS = 1000;

/** Goals that nobody steps any more end when their time is over. */
export interface Deadlines {
  /** There is a goal that may come before all others. */
  arm(): void;
  end(): void;
}

export function createDeadlines(ctx: Pick<KernelContext, 'clock' | 'signal'>, book: Book, runner: Runner): Deadlines {
  let timer: NodeJS.Timeout | undefined;
  const arm = (): void => {
    clearTimeout(timer);
    const next = ctx.signal.aborted ? undefined : book.nextDeadline();
    if (next === undefined) return;
    const inMs = next - ctx.clock.wallMs();
    timer = setTimeout(look, Math.min(WATCH_MAX_MS, Math.max(WATCH_MIN_MS, inMs)));
  };
  const look = (): void => {
    for (const id of book.overdue(ctx.clock.wallMs())) if (!runner.isBusy(id)) runner.go(id);
    arm();
  };
  return { arm, end: () => clearTimeout(timer) };
}
