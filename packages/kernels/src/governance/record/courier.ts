import { type Courier, createCourier, type KernelContext } from '@grace/kernel-sdk';
import type { ActJournal } from './journal.ts';

const SUBJECT = 'audit.governance';
const DEADLINE_MS = 5000;
const RETRY_MS = 1000;

/** Passes acts on to the audit record: in order, until the broker has accepted each, however often that takes. */
export function createActCourier(ctx: KernelContext, journal: ActJournal): Courier {
  return createCourier(ctx, {
    to: 'the audit record',
    everyMs: RETRY_MS,
    waiting: () => journal.unsent(),
    async pass() {
      for (let messages = journal.next(); messages.length > 0; messages = journal.next()) {
        await Promise.all(
          messages.map(({ id, entry }) => ctx.bus.publish(SUBJECT, entry, { id, deadlineMs: DEADLINE_MS })),
        );
        journal.sent(messages);
      }
    },
  });
}
