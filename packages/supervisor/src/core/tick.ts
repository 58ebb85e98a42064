import { calmViolations } from './bus-guard.ts';
import type { Draft } from './draft.ts';
import { closeCellCrashes } from './incidents.ts';
import { overdueCell, overdueKernel } from './ladder.ts';
import { killCell } from './orders.ts';
import { missNeed, startFailed } from './restart.ts';
import { watchSilence } from './silence.ts';
import { endIfEmpty, returnIfStable } from './solitary.ts';
import { askProbe, bringUp, ensureCell } from './start.ts';
import type { CoreState, KernelRecord } from './state.ts';
import { continueStop } from './stop.ts';
import { reviewThrottle } from './throttle.ts';

/** A host process that does not dial in within this long is killed and started again, ms. */
const CELL_START_MS = 10_000;

/** Everything that is due. Called after each event and at least every `TICK_MS`. */
export function whatIsDue(draft: Draft): void {
  if (draft.state.phase === 'stopping') {
    continueStop(draft);
    return;
  }
  for (const [id, kernel] of Object.entries(draft.state.kernels)) {
    const due = draft.now >= kernel.dueMono;
    const probeDue = draft.now >= kernel.probe.dueMono && !kernel.probe.inFlight;
    if (kernel.state === 'backoff' && due) bringUp(draft, id, `restart after ${kernel.cause ?? 'crash'}`);
    else if ((kernel.state === 'starting' || kernel.state === 'probing') && due) {
      const why = kernel.error
        ? `; last: ${kernel.error.message}`
        : kernel.state === 'starting'
          ? '; start has not returned'
          : '; its first probe has not answered';
      startFailed(draft, id, {
        code: 'KERNEL_NEVER_READY',
        message: `${id} was not ready after ${kernel.manifest.startDeadlineMs} ms${why}`,
      });
    } else if (kernel.state === 'probing' && probeDue) askProbe(draft, id, Math.max(1, kernel.dueMono - draft.now));
    else if (kernel.state === 'running') {
      if (probeDue) askProbe(draft, id, kernel.manifest.probe.deadlineMs);
      if (kernel.attempt > 0 && draft.now - kernel.since > kernel.manifest.restart.resetAfterMs) kernel.attempt = 0;
      reviewThrottle(draft, id, kernel);
      returnIfStable(draft, id, kernel);
    } else if (kernel.state === 'waiting' && draft.cell(kernel.cell).state === 'down') ensureCell(draft, kernel.cell);
    if (kernel.state === 'waiting') missNeed(draft, id);
    // What it needs may have become ready while its own thread was still being ended.
    else if (
      kernel.state === 'failed' &&
      kernel.error?.code === 'NEEDS_FAILED' &&
      kernel.wanted &&
      needsRun(draft, kernel)
    )
      bringUp(draft, id, 'what it needs is ready now');
    overdueKernel(draft, id, kernel);
  }
  for (const [id, cell] of Object.entries(draft.state.cells)) {
    if (cell.state === 'starting' && draft.now - cell.orderedMono > CELL_START_MS) {
      killCell(draft, id);
    }
    overdueCell(draft, id);
    watchSilence(draft, id);
    endIfEmpty(draft, id);
  }
  closeCellCrashes(draft);
  calmViolations(draft);
  announceReady(draft);
}

/** The boot is over when every kernel is running or will not be, or when its deadline has passed. */
function announceReady(draft: Draft): void {
  const { state } = draft;
  if (state.phase !== 'booting') return;
  const kernels = Object.entries(state.kernels);
  const settled = kernels.every(([, kernel]) => ['running', 'failed', 'quarantined', 'stopped'].includes(kernel.state));
  const late = draft.now >= state.bootDeadlineMono;
  if (!settled && !late) return;
  state.phase = 'running';
  state.readyMs = Math.round((draft.now - state.startedMono) * 10) / 10;
  const failed = kernels
    .filter(([, kernel]) => kernel.state !== 'running')
    .map(([kernel, record]) => ({
      kernel,
      error: record.error ?? {
        code: 'KERNEL_NEVER_READY' as const,
        message: `${kernel} is still ${record.state} at the deadline of the boot`,
      },
    }));
  draft.journal({
    name: 'system:ready',
    data: {
      ready: kernels.length - failed.length,
      total: kernels.length,
      ms: state.readyMs,
      failed,
    },
  });
}

/** The next instant at which something is due that should not wait for the next regular look. */
export function nextDue(state: CoreState): number {
  let due = Infinity;
  for (const kernel of Object.values(state.kernels)) {
    if (kernel.state === 'backoff') due = Math.min(due, kernel.dueMono);
    else if (kernel.state === 'probing' && !kernel.probe.inFlight) due = Math.min(due, kernel.probe.dueMono);
  }
  return due;
}

function needsRun(draft: Draft, kernel: KernelRecord): boolean {
  return kernel.manifest.needs.every((need) => draft.state.kernels[need]?.state === 'running');
}
