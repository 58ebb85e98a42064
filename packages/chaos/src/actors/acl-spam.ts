import { createBusClient } from '@grace/bus/client';
import { GraceError, systemClock } from '@grace/contracts';
import type { LeaseHold } from './lease-hold.ts';
import type { ActorCounts } from './protocol.ts';

/** Publishes under way at once. */
const WINDOW = 256;

/**
 * Floods one subject until `messages` are sent or the lease ends, and counts how each was answered.
 * @param params `subject`; `messages`: how many, default without bound
 * @throws GraceError `BAD_INPUT`
 */
export async function spamAcl(
  hold: LeaseHold,
  params: Record<string, unknown>,
  bus: { socket: string; token: string },
  report: { acting: (atMono: number) => void; count: (counts: ActorCounts) => void },
): Promise<ActorCounts> {
  const { subject, messages = Number.POSITIVE_INFINITY } = params;
  if (typeof subject !== 'string') throw new GraceError('BAD_INPUT', 'params.subject: expected a subject of the bus');
  if (typeof messages !== 'number' || !(messages > 0))
    throw new GraceError('BAD_INPUT', `params.messages: expected a number above 0, got ${JSON.stringify(messages)}`);
  const client = createBusClient();
  client.dial(bus.socket, bus.token);
  const counts = { sent: 0, accepted: 0, denied: 0, muted: 0, other: 0 };
  const isOver = (): boolean => hold.signal.aborted || counts.sent >= messages;
  let isActing = false;

  const sender = async (): Promise<void> => {
    while (!isOver()) {
      const number = ++counts.sent;
      const sentMono = systemClock.monoMs();
      try {
        await client.publish(subject, { number, by: 'flood' }, { deadlineMs: 2000 });
        counts.accepted++;
      } catch (error) {
        count(counts, error);
        if (error instanceof GraceError && error.code === 'BUS_CLOSED') return;
      }
      if (!isActing) {
        isActing = true;
        report.acting(sentMono);
      }
      // A refusal that needs no answer from the broker settles at once; timers and standard input must have their turn all the same.
      if (number % WINDOW === 0) await new Promise((resolve) => setImmediate(resolve));
    }
  };
  const timer = setInterval(() => report.count({ ...counts }), 100);
  const onAbort = (): void => void client.close();
  hold.signal.addEventListener('abort', onAbort, { once: true });
  await Promise.all(Array.from({ length: WINDOW }, sender));
  clearInterval(timer);
  hold.signal.removeEventListener('abort', onAbort);
  await client.close();
  return counts;
}

function count(counts: { denied: number; muted: number; other: number }, error: unknown): void {
  const code = error instanceof GraceError ? error.code : null;
  if (code === 'BUS_DENIED') counts.denied++;
  else if (code === 'BUS_MUTED') counts.muted++;
  else counts.other++;
}
