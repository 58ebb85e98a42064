import { type Courier, createCourier, type KernelContext } from '@grace/kernel-sdk';
import type { DecisionBook } from './book.ts';

const SUBJECT = 'audit.clarity_framework';
const DEADLINE_MS = 5000;
const RETRY_MS = 1000;
const TOGETHER = 64;

/** Passes decisions on to the audit record, in order, until the broker has accepted each. */
export function createDecisionCourier(ctx: KernelContext, book: DecisionBook): Courier {
  return createCourier(ctx, {
    to: 'the audit record',
    everyMs: RETRY_MS,
    waiting: () => book.counts().unsent,
    async pass() {
      for (let entries = book.unsent(TOGETHER); entries.length > 0; entries = book.unsent(TOGETHER)) {
        await Promise.all(
          entries.map(({ id, entry }) => ctx.bus.publish(SUBJECT, entry, { id, deadlineMs: DEADLINE_MS })),
        );
        book.sent(entries.map(({ seq }) => seq));
      }
    },
  });
}
