import type { BrokerReading, BusStatistics, BusTotals } from '@grace/contracts';
import type { ControlClient } from '@grace/control';
import { kernelOf } from '../observe/target.ts';
import type { StreamCounts } from './numbered-messages.ts';

const ANSWER_MS = 2000;

/** What the workload had counted itself at one moment. */
export interface OwnCounts {
  live: StreamCounts;
  durable: StreamCounts;
}

/** The broker's counters, and the workload's own just before and just after they were read. */
export interface BrokerCounters {
  incarnation: number;
  totals: Omit<BusTotals, 'denied'>;
  /** Messages of the workload that were accepted. */
  published: number;
  /** The family that only the workload uses. */
  family: { accepted: number; handled: number };
  own: { before: OwnCounts; after: OwnCounts };
}

/** Asks the broker. @returns why not, when it does not answer */
export async function readBroker(
  control: ControlClient,
  principal: string,
  family: string,
  own: () => OwnCounts,
): Promise<BrokerCounters | string> {
  try {
    const before = own();
    const order = { kernel: 'message_bus', verb: 'stats', input: {}, from: principal };
    const answer = (await control.request('call', order, ANSWER_MS)) as Partial<BusStatistics>;
    const after = own();
    const status = await control.request('status', {}, ANSWER_MS);
    const { accepted, handled, rejected, expired, deadLettered, waiting, families, principals } = answer;
    const totals = { accepted, handled, rejected, expired, deadLettered, waiting };
    if (!isWhole(totals)) return 'the broker gave no counters';
    const { accepted: taken = 0, handled: done = 0 } = families?.[family] ?? {};
    return {
      incarnation: kernelOf(status, 'message_bus')?.incarnation ?? 0,
      totals,
      published: principals?.[principal]?.published ?? 0,
      family: { accepted: taken, handled: done },
      own: { before, after },
    };
  } catch (error) {
    return `the broker did not answer: ${(error as Error).message}`;
  }
}

function isWhole(totals: Record<string, number | undefined>): totals is BrokerCounters['totals'] {
  return Object.values(totals).every((value) => typeof value === 'number');
}

/**
 * What the broker counted from `from` to `to`, and where it contradicts the workload. The two count at slightly different moments, so what the
 * broker says must lie between what the workload knew before it asked and what it knew after: a message whose acceptance has been
 * answered has been counted, one that was never sent has not.
 * @param origin what the broker had counted before the workload began
 */
export function compareWithBroker(
  origin: BrokerCounters | string,
  from: BrokerCounters | string,
  to: BrokerCounters | string,
): BrokerReading {
  if (typeof to === 'string') return { totals: null, unaccounted: null, differences: null, why: to };
  const unaccounted = missing(to.totals);
  const unknown = (why: string): BrokerReading => ({ totals: null, unaccounted, differences: null, why });
  if (typeof from === 'string') return unknown(from);
  if (from.incarnation !== to.incarnation) return unknown('the broker was restarted, and began to count anew');
  const totals = {
    accepted: to.totals.accepted - from.totals.accepted,
    handled: to.totals.handled - from.totals.handled,
    rejected: to.totals.rejected - from.totals.rejected,
    expired: to.totals.expired - from.totals.expired,
    deadLettered: to.totals.deadLettered - from.totals.deadLettered,
    waiting: to.totals.waiting,
  };
  if (typeof origin === 'string') return { totals, unaccounted, differences: null, why: origin };
  if (origin.incarnation !== to.incarnation) {
    return { totals, unaccounted, differences: null, why: 'the broker was restarted during this run' };
  }
  return { totals, unaccounted, differences: differencesOf(origin, to), why: null };
}

function missing({ accepted, handled, rejected, expired, deadLettered, waiting }: BrokerCounters['totals']): number {
  return accepted - (handled + rejected + expired + deadLettered + waiting);
}

function differencesOf(origin: BrokerCounters, { own, published, family }: BrokerCounters): string[] {
  const { before, after } = own;
  const bounds: [string, least: number, counted: number, most: number][] = [
    [
      'messages of the workload accepted',
      before.live.accepted + before.durable.accepted,
      published - origin.published,
      after.live.sent + after.durable.sent,
    ],
    ['live ones accepted', before.live.accepted, family.accepted - origin.family.accepted, after.live.sent],
    ['live ones handled', 0, family.handled - origin.family.handled, after.live.heard],
  ];
  return bounds
    .filter(([, least, counted, most]) => counted < least || counted > most)
    .map(([what, least, counted, most]) => `${what}: the broker counts ${counted}, the workload ${least} to ${most}`);
}
