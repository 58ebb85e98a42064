import type { BrokerReading, Conservation, JournalRecord, MessageCounters, WorkloadSample } from '@grace/contracts';
import type { Finding } from './finding.ts';

type Outcomes = WorkloadSample['messages'];

/** Both accounts of the same stretch side by side: what the workload counted of its own messages, and the broker of everybody's. */
export function conservationOf(
  live: Outcomes,
  durable: Outcomes | undefined,
  broker: BrokerReading | undefined,
): Conservation {
  return {
    workload: countersOf(live),
    durable: durable ? countersOf(durable) : null,
    broker: broker?.totals ? { ...broker.totals, lost: broker.unaccounted ?? 0 } : null,
    differences: broker?.differences ?? null,
    why: broker ? broker.why : 'the counters of the broker were not recorded',
  };
}

/** The workload does not see why a message never came; what waits for ever is lost to it. */
function countersOf({ accepted, handled, rejected, lost }: Outcomes): MessageCounters {
  return { accepted, handled, rejected, expired: 0, deadLettered: 0, waiting: 0, lost };
}

/** Nothing the broker accepted is unaccounted for, and what it counted fits what the workload counted, as far as both were read. */
export function conserved({ seq, data: { broker } }: JournalRecord<'workload:sample'>): Finding[] {
  if (!broker) return [];
  const findings: Finding[] = [];
  if (broker.unaccounted !== null) {
    findings.push({
      ok: broker.unaccounted === 0,
      text: `${broker.unaccounted} messages the broker accepted are neither handled, rejected, expired, dead-lettered nor waiting (#${seq}).`,
      byRunner: false,
    });
  }
  if (broker.differences !== null) {
    const same = broker.differences.length === 0;
    findings.push({
      ok: same,
      text: same
        ? `The broker's counters fit those of the workload (#${seq}).`
        : `The broker's counters contradict those of the workload: ${broker.differences.join('; ')} (#${seq}).`,
      byRunner: false,
    });
  }
  return findings;
}
