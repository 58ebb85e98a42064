import type { BusStatistics, EventMap } from '@grace/contracts';
import { PROBE, PROBE_DENIED, SUPERVISOR } from './principals.ts';

/** The broker's counters. The refusals the probe provokes are left out: they are no violation. */
export function withoutProbe(statistics: BusStatistics): BusStatistics {
  const { [PROBE]: probe, ...principals } = statistics.principals;
  const denied = probe?.denied ?? 0;
  const [family] = PROBE_DENIED.split('.') as [string];
  const account = statistics.families[family];
  return {
    ...statistics,
    denied: statistics.denied - denied,
    families: account
      ? { ...statistics.families, [family]: { ...account, denied: account.denied - denied } }
      : statistics.families,
    principals,
  };
}

/** What the journal keeps of them. */
export function summary(statistics: BusStatistics): EventMap['bus:statistics'] {
  const { accepted, handled, rejected, expired, deadLettered, waiting, denied } = statistics;
  return { accepted, handled, rejected, expired, deadLettered, waiting, denied };
}

/** Changes when anybody else than the bus itself did something: what it republishes and probes is no news. */
export function activity(statistics: BusStatistics): string {
  const { rejected, expired, waiting, denied } = statistics;
  const others = Object.entries(statistics.principals).filter(([name]) => name !== SUPERVISOR && name !== PROBE);
  return JSON.stringify([rejected, expired, waiting, denied, others]);
}
