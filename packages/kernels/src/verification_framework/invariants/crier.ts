import type { KernelContext } from '@grace/kernel-sdk';
import type { ViolationBook } from './book.ts';

const DEADLINE_MS = 2000;
const EVERY_MS = 250;
const TOGETHER = 50;

/**
 * Tells of each violation that it began and that it ended, on the bus and on the audit record, in order, until both have taken it: somebody
 * who was away may hear it twice, but not never.
 */
export function createCrier(ctx: KernelContext, book: ViolationBook): void {
  let lastError = '';
  ctx.every(EVERY_MS, async () => {
    try {
      for (const { violation, state } of book.untold(TOGETHER)) {
        const { id, rule, title, beganMs, endedMs, reason, ending, evidence } = violation;
        const news = {
          id,
          rule,
          title,
          state,
          beganMs,
          endedMs: state === 'began' ? null : endedMs,
          reason,
          ending,
          evidence,
        };
        const message = `violation-${rule}-${beganMs}-${state}`;
        const entry = {
          actor: ctx.id,
          action: `violation ${state}`,
          resource: rule,
          subsystem: ctx.id,
          outcome: state === 'began' ? 'broken' : (ending ?? 'ended'),
          payload: news,
          idempotencyKey: message,
        };
        await ctx.bus.publish(`audit.${ctx.id}`, entry, { id: message, deadlineMs: DEADLINE_MS });
        await ctx.bus.publish(`kernel.${ctx.id}.event.violation`, news, { deadlineMs: DEADLINE_MS });
        if (ctx.signal.aborted) return;
        book.told(id, state);
      }
      lastError = '';
    } catch (error) {
      const { message } = error as Error;
      if (message !== lastError && !ctx.signal.aborted)
        ctx.log.warn('a violation could not be told of; tried again', { error: message });
      lastError = message;
    }
  });
}
