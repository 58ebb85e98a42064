import type { WorkloadSample } from '@grace/contracts';

/** One numbered message: when it was published, and what became of it so far. */
export interface Tick {
  atMono: number;
  /** `open` until the broker has answered. */
  answer: 'open' | 'accepted' | 'refused';
  handled: boolean;
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

/**
 * What the workload saw in one stretch. Messages that were accepted and never handled are lost; those refused with a code are not. Calls
 * to a kernel that a trial disturbs at that moment are told apart: they are neither failures nor part of the latency.
 */
export function sampleOf(
  stretch: Stretch,
  ticks: Iterable<Tick>,
  calls: Iterable<Call>,
  disturbances: readonly Disturbance[],
): WorkloadSample {
  const { fromMono, toMono } = stretch;
  const messages = { accepted: 0, handled: 0, rejected: 0, lost: 0 };
  for (const tick of ticks) {
    if (tick.atMono < fromMono || tick.atMono >= toMono) continue;
    if (tick.answer === 'refused') messages.rejected++;
    if (tick.answer !== 'accepted') continue;
    messages.accepted++;
    if (tick.handled) messages.handled++;
    else messages.lost++;
  }
  const verbs = { ok: 0, failed: 0, excused: 0 };
  const appends = { ok: 0, failed: 0 };
  const latencies: number[] = [];
  for (const call of calls) {
    if (call.atMono < fromMono || call.atMono >= toMono) continue;
    if (isDisturbed(call, disturbances)) {
      if (!call.ok) verbs.excused++;
      continue;
    }
    const counts = call.kind === 'verb' ? verbs : appends;
    if (call.ok) counts.ok++;
    else counts.failed++;
    if (call.ok && call.kind === 'verb') latencies.push(call.ms);
  }
  latencies.sort((a, b) => a - b);
  return {
    ...stretch,
    messages,
    verbs: { ...verbs, p50Ms: percentile(latencies, 0.5), p99Ms: percentile(latencies, 0.99) },
    appends,
  };
}

/** A call is disturbed when it was under way while its kernel was. */
function isDisturbed(call: Call, disturbances: readonly Disturbance[]): boolean {
  return disturbances.some(
    ({ fromMono, toMono, kernels }) =>
      kernels.has(call.kernel) && call.atMono < toMono && call.atMono + call.ms > fromMono,
  );
}

/** Nearest rank, to a tenth of a millisecond; 0 of nothing. */
export function percentile(sorted: readonly number[], share: number): number {
  if (sorted.length === 0) return 0;
  const rank = Math.max(1, Math.ceil(share * sorted.length));
  return Math.round(sorted[rank - 1]! * 10) / 10;
}
