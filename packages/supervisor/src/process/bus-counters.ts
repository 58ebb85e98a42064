import type { BusStatistics, Clock, StatusDocument } from '@grace/contracts';
import type { Desk } from '../client/methods.ts';

export type BusCounters = StatusDocument['bus'];

const EVERY_MS = 1000;
const DEADLINE_MS = 800;

/** The broker's own counters, read through its verb; while it is down the last ones stand. */
export function createBusCounters(clock: Clock, read: Desk['call']): { readonly last: BusCounters; refresh(): void } {
  let last: BusCounters = {
    accepted: 0,
    handled: 0,
    rejected: 0,
    expired: 0,
    deadLettered: 0,
    waiting: 0,
    denied: 0,
    muted: [],
    violations: [],
    unbalanced: [],
  };
  let asking = false;
  let askedMono = 0;
  return {
    get last() {
      return last;
    },
    refresh() {
      if (asking || clock.monoMs() - askedMono < EVERY_MS) return;
      asking = true;
      askedMono = clock.monoMs();
      read({ kernel: 'message_bus', verb: 'stats', input: {}, from: 'supervisor' }, DEADLINE_MS)
        .then(
          (value) => {
            last = countersOf(value as BusStatistics);
          },
          // A broker that does not answer is the judgement's matter, not this reading's.
          () => {},
        )
        .finally(() => {
          asking = false;
        });
    },
  };
}

/** What the status says of them. */
function countersOf(statistics: BusStatistics): BusCounters {
  const { accepted, handled, rejected, expired, deadLettered, waiting, denied, muted, unbalanced } = statistics;
  const violations = Object.entries(statistics.principals)
    .filter(([, one]) => one.denied > 0 || one.mutedUntilMono !== null || one.level > 0)
    .map(([principal, { denied, lastSubject, mutedUntilMono, level }]) => ({
      principal,
      denied,
      lastSubject,
      mutedUntilMono,
      level,
    }))
    .sort((a, b) => b.denied - a.denied);
  return { accepted, handled, rejected, expired, deadLettered, waiting, denied, muted, violations, unbalanced };
}
