import type { WorkloadSample } from '@grace/contracts';

/** One numbered message: when it was published, and what became of it so far. */
export interface Tick {
  atMono: number;
  /** `open` until the broker has answered. */
  answer: 'open' | 'accepted' | 'refused';
  /** When it came back first; null while it has not. */
  handledMono: number | null;
  /** How often it came. */
  times: number;
}

/** One verb call or append that has been answered. */
export interface Call {
  atMono: number;
  kernel: string;
  kind: 'verb' | 'append';
  ok: boolean;
  ms: number;
}

/** A stretch of the run, and the kernels that a trial of that stretch disturbs. */
export interface Stretch {
  trial: string | null;
  fromMono: number;
  toMono: number;
}

/** When which kernels were disturbed by a trial. */
export interface Disturbance {
  fromMono: number;
  toMono: number;
  kernels: ReadonlySet<string>;
}

/** Everything the workload did so far. */
export interface Operations {
  ticks: Iterable<Tick>;
  durable: Iterable<Tick>;
  calls: Iterable<Call>;
}

/**
 * What the workload saw in one stretch. Messages that were accepted and never handled are lost; those refused with a code are not. Calls
 * to a kernel that a trial disturbs at that moment are told apart: they are neither failures nor part of the latency.
 */
export function sampleOf(
  stretch: Stretch,
  operations: Operations,
  disturbances: readonly Disturbance[],
): WorkloadSample & Required<Pick<WorkloadSample, 'durable' | 'roundTrips'>> {
  const { fromMono, toMono } = stretch;
  const isInside = ({ atMono }: { atMono: number }): boolean => atMono >= fromMono && atMono < toMono;
  const ticks = [...operations.ticks].filter(isInside);
  const durable = [...operations.durable].filter(isInside);
  const verbs = { ok: 0, failed: 0, excused: 0 };
  const appends = { ok: 0, failed: 0 };
  const latencies: number[] = [];
  for (const call of operations.calls) {
    if (!isInside(call)) continue;
    if (isDisturbed(call, disturbances)) {
      if (!call.ok) verbs.excused++;
      continue;
    }
    const counts = call.kind === 'verb' ? verbs : appends;
    if (call.ok) counts.ok++;
    else counts.failed++;
    if (call.ok && call.kind === 'verb') latencies.push(call.ms);
  }
  const trips = ticks.flatMap(({ atMono, handledMono }) => (handledMono === null ? [] : [handledMono - atMono]));
  return {
    ...stretch,
    messages: outcomesOf(ticks),
    durable: { ...outcomesOf(durable), repeated: durable.filter(({ times }) => times > 1).length },
    roundTrips: { count: trips.length, ...percentiles(trips) },
    verbs: { ...verbs, ...percentiles(latencies) },
    appends,
  };
}

function outcomesOf(ticks: readonly Tick[]): WorkloadSample['messages'] {
  const accepted = ticks.filter(({ answer }) => answer === 'accepted');
  const handled = accepted.filter(({ handledMono }) => handledMono !== null).length;
  const rejected = ticks.filter(({ answer }) => answer === 'refused').length;
  return { accepted: accepted.length, handled, rejected, lost: accepted.length - handled };
}

/** A call is disturbed when it was under way while its kernel was. */
function isDisturbed(call: Call, disturbances: readonly Disturbance[]): boolean {
  return disturbances.some(
    ({ fromMono, toMono, kernels }) =>
      kernels.has(call.kernel) && call.atMono < toMono && call.atMono + call.ms > fromMono,
  );
}

function percentiles(values: number[]): { p50Ms: number; p99Ms: number } {
  values.sort((a, b) => a - b);
  return { p50Ms: percentile(values, 0.5), p99Ms: percentile(values, 0.99) };
}

/** Nearest rank, to a tenth of a millisecond; 0 of nothing. */
export function percentile(sorted: readonly number[], share: number): number {
  if (sorted.length === 0) return 0;
  const rank = Math.max(1, Math.ceil(share * sorted.length));
  return Math.round(sorted[rank - 1]! * 10) / 10;
}
