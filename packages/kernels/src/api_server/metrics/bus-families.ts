import { type BusLatency, type BusStatistics, type BusTotals, LATENCY_BOUNDS_MS } from '@grace/contracts';
import type { Family, HistogramFamily } from './exposition.ts';

const OUTCOMES: readonly [keyof BusTotals, string][] = [
  ['accepted', 'accepted'],
  ['handled', 'handled'],
  ['rejected', 'rejected'],
  ['expired', 'expired'],
  ['deadLettered', 'dead_lettered'],
];

/** The broker's bounds are four to a power of two; a scrape has one. */
const EVERY = 4;

/** What the broker counted. */
export function busFamilies(statistics: BusStatistics): (Family | HistogramFamily)[] {
  const principals = Object.entries(statistics.principals);
  const families = Object.entries(statistics.families);
  const perPrincipal = (
    name: string,
    help: string,
    value: (one: BusStatistics['principals'][string]) => number,
    type: Family['type'],
  ): Family => ({
    name: `grace_bus_${name}`,
    help,
    type,
    samples: principals.map(([principal, one]) => ({ labels: { principal }, value: value(one) })),
  });
  return [
    {
      name: 'grace_bus_messages_total',
      help: 'Messages by family of subjects and what became of them.',
      type: 'counter',
      samples: families.flatMap(([family, totals]) =>
        OUTCOMES.map(([key, outcome]) => ({ labels: { family, outcome }, value: totals[key] })),
      ),
    },
    {
      name: 'grace_bus_denied_total',
      help: 'Messages refused at the door, by family of subjects.',
      type: 'counter',
      samples: families.map(([family, { denied }]) => ({ labels: { family }, value: denied })),
    },
    {
      name: 'grace_bus_waiting',
      help: 'Messages that wait, by family of subjects.',
      type: 'gauge',
      samples: families.map(([family, { waiting }]) => ({ labels: { family }, value: waiting })),
    },
    {
      name: 'grace_bus_unbalanced',
      help: 'Families whose account does not add up.',
      type: 'gauge',
      samples: [{ value: statistics.unbalanced.length }],
    },
    { name: 'grace_bus_clients', help: 'Open wires.', type: 'gauge', samples: [{ value: statistics.clients.length }] },
    perPrincipal('published_total', 'Messages published.', ({ published }) => published, 'counter'),
    perPrincipal('violations_total', 'Messages denied by the access rules.', ({ denied }) => denied, 'counter'),
    perPrincipal('muted', 'Whether it is muted.', ({ mutedUntilMono }) => (mutedUntilMono === null ? 0 : 1), 'gauge'),
    {
      name: 'grace_bus_latency_seconds',
      help: 'From acceptance to the outcome of the handler, by family of subjects.',
      type: 'histogram',
      samples: Object.entries(statistics.latency).map(([family, latency]) => ({
        labels: { family },
        ...histogram(latency),
      })),
    },
    ...durableFamilies(statistics.durable),
  ];
}

/** Cumulated, in seconds. */
export function histogram({ buckets, count, sumMs }: BusLatency): HistogramFamily['samples'][number] {
  let upTo = 0;
  const cumulated: [number, number][] = [];
  for (const [i, boundMs] of LATENCY_BOUNDS_MS.entries()) {
    upTo += buckets[i] ?? 0;
    if (i % EVERY === 0) cumulated.push([boundMs / 1000, upTo]);
  }
  // Whatever lies above the last bound is in `count` alone.
  return { buckets: cumulated, sum: sumMs / 1000, count };
}

function durableFamilies(durable: BusStatistics['durable']): Family[] {
  if (durable === null) return [];
  const one = (name: string, help: string, value: number, type: Family['type'] = 'gauge'): Family => ({
    name: `grace_bus_durable_${name}`,
    help,
    type,
    samples: [{ value }],
  });
  return [
    one('waiting', 'Deliveries on disk that are not settled.', durable.waiting),
    one('dead_letters', 'Dead letters on disk.', durable.dead),
    one('redelivered_total', 'Deliveries that were sent again.', durable.redelivered, 'counter'),
    one('refused_total', 'Publishes refused for a bound, or by the disk.', durable.refused, 'counter'),
    one('file_bytes', 'Size of the file.', durable.fileBytes),
  ];
}
