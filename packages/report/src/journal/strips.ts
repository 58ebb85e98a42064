import type { Condition, KernelState } from '@grace/contracts';
import type { KernelStrip, StripState, WorkloadPoint } from '../model.ts';
import type { Journal } from './journal.ts';

/** What each kernel was, from the start of the run to its end. */
export function kernelStrips(journal: Journal, kernels: readonly string[]): KernelStrip[] {
  const last = journal.records.find((record) => record.seq === journal.to);
  const endMs = Math.max(0, journal.runMs(last?.monoMs ?? journal.originMono));
  const ids = new Set(kernels);
  for (const record of journal.of('kernel:state')) if (record.kernel !== undefined) ids.add(record.kernel);
  return [...ids].map((id) => strip(journal, id, endMs));
}

function strip(journal: Journal, id: string, endMs: number): KernelStrip {
  let state: KernelState | undefined;
  let condition: Condition = 'healthy';
  let restarts = 0;
  let openedMs = 0;
  let shown: StripState | undefined;
  const conditions = new Set<Condition>();
  const spans: KernelStrip['spans'] = [];
  const close = (atMs: number) => {
    if (shown !== undefined && atMs > openedMs) spans.push({ fromMs: openedMs, toMs: atMs, state: shown });
  };
  for (const record of journal.of('kernel:state', 'kernel:condition', 'kernel:restart')) {
    if (record.kernel !== id || record.seq > journal.to) continue;
    const inRun = record.seq >= journal.from;
    if (record.name === 'kernel:restart') {
      if (inRun) restarts += 1;
      continue;
    }
    if (record.name === 'kernel:state') {
      state = (record.data as { to: KernelState }).to;
      // A new life starts without the judgement on the one before.
      if (state !== 'running') condition = 'healthy';
    } else {
      condition = (record.data as { to: Condition }).to;
      if (inRun && condition !== 'healthy') conditions.add(condition);
    }
    const next = look(state, condition);
    if (next === shown) continue;
    const atMs = Math.min(endMs, Math.max(0, journal.runMs(record.monoMs)));
    close(atMs);
    openedMs = atMs;
    shown = next;
  }
  close(endMs);
  return { id, spans, restarts, final: state ?? null, conditions: [...conditions] };
}

function look(state: KernelState | undefined, condition: Condition): StripState {
  if (state === 'running') return condition === 'healthy' ? 'up' : 'noticed';
  if (state === 'waiting' || state === 'starting' || state === 'probing') return 'starting';
  return state === undefined ? 'up' : 'down';
}

export function workloadPoints(journal: Journal): WorkloadPoint[] {
  return journal.of('workload:sample').map(({ data }) => ({
    fromMs: journal.runMs(data.fromMono),
    toMs: journal.runMs(data.toMono),
    trial: data.trial,
    p50Ms: data.verbs.p50Ms,
    p99Ms: data.verbs.p99Ms,
    lost: data.messages.lost + (data.durable?.lost ?? 0),
    failed: data.verbs.failed + data.appends.failed,
  }));
}
