import type { WireError } from '@grace/contracts';
import type { Draft } from './draft.ts';
import { openIncident } from './incidents.ts';
import { goDown } from './restart.ts';
import { isSilent } from './silence.ts';
import type { KernelRecord } from './state.ts';
import { isHeldBack } from './throttle.ts';

/** After a need came back, a failed probe is not held against the kernel for this long, ms. */
const NEED_GRACE_MS = 2000;
/** Functional probes that must fail in a row. */
const FAILURES_TO_RESTART = 2;

/** The answer to a probe of a running kernel. */
export function laterProbe(draft: Draft, id: string, ok: boolean, ms: number, error: WireError | null): void {
  const kernel = draft.kernel(id);
  const failedBefore = kernel.probe.failures > 0;
  kernel.probe.last = { ok, ms, atMono: draft.now };
  kernel.probe.dueMono = draft.now + (ok ? kernel.manifest.probe.intervalMs : 100);
  if (ok) {
    kernel.probe.failures = 0;
    if (failedBefore || kernel.probe.suspicion)
      report(draft, id, ok, ms, null, failedBefore ? 'it failed before' : 'the heartbeat was late');
    return;
  }
  report(draft, id, ok, ms, error, 'failed');
  if (needsTrouble(draft, kernel) || isSilent(draft, kernel.cell)) return;
  if (error?.code === 'DEADLINE' && hadNoChance(draft, kernel)) return;
  kernel.probe.failures++;
  const incident = { failures: kernel.probe.failures, error: error?.message ?? null, code: error?.code ?? null };
  if (kernel.probe.failures < FAILURES_TO_RESTART) return;
  openIncident(draft, 'kernel_hung', id, 'probe', incident);
  goDown(
    draft,
    id,
    'probe',
    `its functional probe failed ${kernel.probe.failures} times: ${error?.message ?? 'no answer'}`,
  );
}

function report(draft: Draft, id: string, ok: boolean, ms: number, error: WireError | null, why: string): void {
  const kernel = draft.kernel(id);
  draft.journal(
    {
      name: 'kernel:probe',
      kernel: id,
      cell: kernel.cell,
      incarnation: kernel.incarnation,
      data: { ok, ms: Math.round(ms * 10) / 10, why, ...(error ? { error } : {}) },
    },
    kernel.correlation,
  );
}

/**
 * No answer is no evidence against a kernel that was not let on a processor at any time since it was asked: by the others, or by the limit
 * that we hold it to. One whose thread was idle meanwhile, and still did nothing, had its chance.
 */
function hadNoChance(draft: Draft, kernel: KernelRecord): boolean {
  if (isStarved(kernel, kernel.probe.askedMono)) return true;
  if (isHeldBack(kernel) || draft.cell(kernel.cell).silentMono >= kernel.probe.askedMono) return true;
  return draft.state.machine.fullMono >= kernel.probe.askedMono && kernel.condition !== 'silent';
}

/** A kernel whose needs are down, just came back, or do not do their own job at the moment cannot be blamed for a failed probe. */
function needsTrouble(draft: Draft, kernel: KernelRecord): boolean {
  return kernel.manifest.needs.some((need) => {
    const needed = draft.state.kernels[need];
    if (needed === undefined || needed.state !== 'running' || draft.now - needed.since < NEED_GRACE_MS) return true;
    return isStarved(needed, kernel.probe.askedMono) || needed.probe.last?.ok === false;
  });
}

/** At any time since then, or now: its samples come more seldom than probes are answered. */
function isStarved({ starvedMono, condition }: KernelRecord, sinceMono: number): boolean {
  return starvedMono >= sinceMono || condition === 'starved';
}
