import type { BusStatistics, BusTotals, Clock, MutedPrincipal } from '@grace/contracts';
import type { Desk } from '../client/methods.ts';

export type BusCounters = BusTotals & { muted: MutedPrincipal[] };

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
            const { accepted, handled, rejected, expired, deadLettered, waiting, denied, muted } =
              value as BusStatistics;
            last = { accepted, handled, rejected, expired, deadLettered, waiting, denied, muted };
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
