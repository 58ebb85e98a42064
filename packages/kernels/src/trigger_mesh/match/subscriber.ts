import type { Message, Subscription } from '@grace/bus/client';
import type { KernelContext } from '@grace/kernel-sdk';
import { type CoverChange, createCover } from './cover.ts';

/** Subscriptions made at the same time. */
const AT_ONCE = 64;
const DEADLINE_MS = 2000;
/** How often a subscription that was refused is tried again: access rules can change. */
const RETRY_MS = 5000;

/** Keeps the bus subscribed to the fewest patterns that cover all rules. */
export interface Subscriber {
  use(pattern: string): void;
  release(pattern: string): void;
  /** From now on the bus is asked; before, patterns are only gathered, so that none is subscribed that a wider one covers. */
  begin(): void;
  /** Resolves when everything asked for so far is subscribed or refused. */
  settled(): Promise<void>;
  live(): string[];
  /** Patterns the bus refused, and why. */
  refused(): Record<string, string>;
}

export function createSubscriber(ctx: KernelContext, onMessage: (message: Message) => Promise<void>): Subscriber {
  const cover = createCover();
  const live = new Map<string, Subscription>();
  const refused = new Map<string, string>();
  let working: Promise<void> | undefined;
  let hasBegun = false;

  const subscribe = async (pattern: string): Promise<void> => {
    try {
      live.set(pattern, await ctx.bus.subscribe(pattern, onMessage, { deadlineMs: DEADLINE_MS }));
      refused.delete(pattern);
    } catch (error) {
      const why = (error as Error).message;
      if (!refused.has(pattern)) ctx.log.warn('events cannot be subscribed', { pattern, why });
      refused.set(pattern, why);
    }
  };

  /** Makes the new ones before it ends the old ones, so no event falls between; what arrives twice is judged once. */
  const reconcile = async (): Promise<void> => {
    for (;;) {
      const wanted = new Set(cover.patterns());
      for (const pattern of refused.keys()) if (!wanted.has(pattern)) refused.delete(pattern);
      const missing = [...wanted].filter((pattern) => !live.has(pattern) && !refused.has(pattern));
      const surplus = [...live.keys()].filter((pattern) => !wanted.has(pattern));
      if (missing.length === 0 && surplus.length === 0) return;
      if (missing.length > 0) {
        await Promise.all(missing.slice(0, AT_ONCE).map(subscribe));
        continue;
      }
      await Promise.all(
        surplus.slice(0, AT_ONCE).map(async (pattern) => {
          const subscription = live.get(pattern)!;
          live.delete(pattern);
          await subscription
            .unsubscribe()
            .catch((error: Error) => ctx.log.warn('unsubscribe failed', { pattern, why: error.message }));
        }),
      );
    }
  };

  const work = (change: CoverChange): void => {
    if (change.add.length > 0 || change.drop.length > 0) start();
  };

  const start = (): void => {
    if (ctx.signal.aborted || !hasBegun) return;
    working ??= Promise.resolve()
      .then(reconcile)
      .finally(() => {
        working = undefined;
      });
  };

  ctx.every(RETRY_MS, () => {
    if (refused.size === 0) return;
    refused.clear();
    start();
  });

  return {
    use: (pattern) => work(cover.use(pattern)),
    release: (pattern) => work(cover.release(pattern)),
    begin() {
      hasBegun = true;
      start();
    },
    async settled() {
      while (working) await working;
    },
    live: () => [...live.keys()].sort(),
    refused: () => Object.fromEntries(refused),
  };
}
