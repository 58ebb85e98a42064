import type { CpuMethod } from '@grace/contracts';
import type { Judgement } from '../judge/classify.ts';
import type { Draft } from './draft.ts';
import { closeIncident, openIncident } from './incidents.ts';
import type { KernelRecord } from './state.ts';

/** A kernel under overload is let go when it uses less than this part of what it may ... */
const CALM_SHARE = 0.8;
/** ... for this long, ms. */
const CALM_MS = 2000;
/** Share of a core that is too much for one thread when there is none to spare. */
const CROWDED_SHARE = 0.4;
/** A kernel that had something of others under way for this part of the time, and ended it, is busy serving. */
const SERVING_SHARE = 0.8;
/** Samples must span this much before a share of CPU is taken from them, ms. */
const SPAN_MS = 400;

/** Somebody's order; null lifts it. */
export function throttleByHand(draft: Draft, id: string, by: string, cpu: number | null, forMs: number | null): void {
  const kernel = draft.kernel(id);
  if (cpu === null) lift(draft, id, kernel);
  else {
    kernel.throttle = {
      cpu,
      why: 'hand',
      by,
      untilMono: forMs === null ? Infinity : draft.now + forMs,
      calmSince: null,
    };
    applyLimit(draft, id, kernel);
  }
}

/**
 * All the CPU it may have, and its event loop still turns: it is held back, never restarted. Not while it serves others with it: to hold it
 * would only make them wait.
 */
export function takeOverload(
  draft: Draft,
  id: string,
  kernel: KernelRecord,
  judgement: Pick<Judgement, 'evidence'>,
): void {
  const served = servedShare(kernel, draft.state.settings.overloadAfterMs);
  openIncident(draft, 'cpu_overload', id, 'metric', { ...judgement.evidence, servedShare: served });
  if (served < SERVING_SHARE) holdBack(draft, id, kernel);
}

function holdBack(draft: Draft, id: string, kernel: KernelRecord): void {
  const { overloadCpu } = draft.state.settings;
  if (overloadCpu === null || kernel.manifest.limits.cpu !== null || kernel.throttle !== null) return;
  kernel.throttle = { cpu: overloadCpu, why: 'overload', by: 'supervisor', untilMono: Infinity, calmSince: null };
  applyLimit(draft, id, kernel);
}

/**
 * While every core is busy nobody gets a whole one, so no judgement can call a kernel overloaded by what it burns; but one that takes this
 * much for itself takes it from the others, whoever fills the rest.
 */
export function holdInCrowd(draft: Draft): void {
  for (const [id, kernel] of Object.entries(draft.state.kernels)) {
    if (kernel.state !== 'running' || kernel.cap !== null || kernel.throttle !== null) continue;
    const share = cpuShare(kernel, draft.state.settings.overloadAfterMs);
    if (share === null || share < CROWDED_SHARE) continue;
    if (servedShare(kernel, draft.state.settings.overloadAfterMs) >= SERVING_SHARE) continue;
    const evidence = { cpuShare: Math.round(share * 100) / 100, machine: 'full' };
    openIncident(draft, 'cpu_overload', id, 'metric', evidence);
    holdBack(draft, id, kernel);
  }
}

/** Looks at each sample whether an overload is over, and at each tick whether an order has run out. */
export function reviewThrottle(draft: Draft, id: string, kernel: KernelRecord): void {
  const { throttle } = kernel;
  if (throttle && draft.now >= throttle.untilMono) lift(draft, id, kernel);
  const overload = Object.values(draft.state.incidents).find(
    (open) => open.kind === 'cpu_overload' && open.subject === id,
  );
  if (!overload) return;
  const share = cpuShare(kernel);
  const cap = kernel.cap ?? 1;
  if (share === null || share >= cap * CALM_SHARE) {
    overload.calmSince = null;
    return;
  }
  overload.calmSince ??= draft.now;
  if (draft.now - overload.calmSince < CALM_MS) return;
  if (throttle?.why === 'overload') lift(draft, id, kernel);
  closeIncident(draft, overload.id, 'it uses clearly less CPU than it may; nothing was restarted');
}

/** What its cell has set. */
export function takeLimited(draft: Draft, id: string, cpu: number | null, method: CpuMethod): void {
  const kernel = draft.kernel(id);
  kernel.cap = method === 'none' ? null : cpu;
  kernel.limitMethod = method;
  kernel.limitSets++;
  draft.journal(
    {
      name: 'kernel:limit',
      kernel: id,
      cell: kernel.cell,
      incarnation: kernel.incarnation,
      data: { cpu, method, why: kernel.throttle?.why ?? 'manifest', by: kernel.throttle?.by ?? 'supervisor' },
    },
    kernel.correlation,
  );
}

/** A new thread: overload was the old one's, an order by hand still stands, and the cell itself keeps the manifest's limit. */
export function limitNewThread(draft: Draft, id: string, kernel: KernelRecord): void {
  if (kernel.throttle?.why === 'overload') kernel.throttle = null;
  kernel.cap = kernel.manifest.limits.cpu;
  if (kernel.throttle) applyLimit(draft, id, kernel);
}

function lift(draft: Draft, id: string, kernel: KernelRecord): void {
  if (!kernel.throttle) return;
  kernel.throttle = null;
  applyLimit(draft, id, kernel);
}

function applyLimit(draft: Draft, id: string, kernel: KernelRecord): void {
  if (kernel.thread !== 'loaded') return;
  draft.order({
    do: 'limit',
    kernel: id,
    cell: kernel.cell,
    incarnation: kernel.incarnation,
    cpu: kernel.throttle?.cpu ?? null,
  });
}

/** It uses what its limit lets it have, so whatever it does not do is our own doing. */
export function isHeldBack(kernel: KernelRecord): boolean {
  if (kernel.cap === null) return false;
  const share = cpuShare(kernel);
  return share !== null && share >= kernel.cap * CALM_SHARE;
}

/** Part of the latest time in which it had something of others under way that has ended since, 0 to 1. */
function servedShare(kernel: KernelRecord, spanMs: number): number {
  const last = kernel.window.at(-1);
  const first = last && kernel.window.findLast((sample) => last.atMono - sample.atMono >= spanMs);
  if (!first) return 0;
  const share = (last.servedMs - first.servedMs) / (last.atMono - first.atMono);
  // The cell of an older version does not tell.
  return Number.isFinite(share) ? Math.min(1, Math.round(share * 100) / 100) : 0;
}

/** Share of one core over the latest samples that span long enough; null where they do not. */
function cpuShare(kernel: KernelRecord, spanMs = SPAN_MS): number | null {
  const last = kernel.window.at(-1);
  if (!last || last.cpuMs === null) return null;
  const first = kernel.window.findLast((sample) => sample.cpuMs !== null && last.atMono - sample.atMono >= spanMs);
  return first ? (last.cpuMs - first.cpuMs!) / (last.atMono - first.atMono) : null;
}
