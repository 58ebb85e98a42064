import { hasThread, type KernelManifest, type WireError } from '@grace/contracts';
import type { Draft } from './draft.ts';
import { openIncident } from './incidents.ts';
import { move } from './lifecycle.ts';
import { bringUp } from './start.ts';
import type { KernelRecord } from './state.ts';

/**
 * Why a kernel goes down. Its own doing counts against its restart budget; a lost cell and a restart by hand do not.
 * `ended`: the thread ended by itself with code 0, where the class `transient` stays down.
 */
export type DownCause =
  | 'crash'
  | 'ended'
  | 'hung'
  | 'probe'
  | 'start'
  | 'incurable'
  | 'needs'
  | 'cell'
  | 'manual'
  | 'playbook'
  | 'isolate';

const FREE_OF_CHARGE = new Set<string>(['cell', 'manual', 'isolate']);

/** Errors that no restart soon can cure. */
const INCURABLE = new Set(['KERNEL_MISSING', 'KERNEL_INVALID']);

/** How long `terminate()` may take before only the end of the process helps, ms. Measured: 2-4 ms for loops, never for native blocks. */
const TERMINATE_DEADLINE_MS = 1000;

/** Takes a kernel down; what follows is settled when its thread is gone. */
export function goDown(draft: Draft, id: string, cause: DownCause, reason: string): void {
  const kernel = draft.kernel(id);
  kernel.cause = cause;
  kernel.after = kernel.wanted ? 'restart' : 'stay down';
  if (kernel.state === 'stopping') return;
  if (hasThread(kernel.state) || kernel.thread !== 'none') {
    move(draft, id, 'stopping', reason);
    draft.order({
      do: 'terminate',
      kernel: id,
      cell: kernel.cell,
      incarnation: kernel.incarnation,
      deadlineMs: TERMINATE_DEADLINE_MS,
    });
  } else settleDown(draft, id, reason);
}

/** `load` or `start` rejected, or the start deadline passed. */
export function startFailed(draft: Draft, id: string, error: WireError): void {
  const kernel = draft.kernel(id);
  kernel.error = error;
  // Space may come while the system runs; a boot does not wait for it.
  const incurable = INCURABLE.has(error.code) || (error.code === 'STORAGE_FULL' && draft.state.phase === 'booting');
  const cause = incurable ? 'incurable' : 'start';
  goDown(draft, id, cause, `${error.code}: ${error.message}`);
}

/** The thread is gone: restart, stay down, or give up. Giving up is per kernel and never spreads to those that run. */
export function settleDown(draft: Draft, id: string, reason: string): void {
  const kernel = draft.kernel(id);
  const cause = kernel.cause ?? 'crash';
  kernel.tid = null;
  kernel.thread = 'none';
  kernel.probe.inFlight = false;
  if (!kernel.wanted || kernel.after === 'stay down' || draft.state.phase === 'stopping') {
    move(draft, id, 'stopped', reason);
    return;
  }
  const stays = staysDown(draft, kernel, cause);
  if (stays) {
    move(draft, id, stays.state, `${reason}; ${stays.why}`);
    failDependants(draft, id);
    return;
  }
  if (!FREE_OF_CHARGE.has(cause)) {
    kernel.budgetUsed = kernel.budgetUsed.filter((at) => at > draft.now - kernel.manifest.restart.windowMs);
    if (kernel.budgetUsed.length >= kernel.manifest.restart.budget) {
      quarantine(draft, id, cause, reason);
      return;
    }
    kernel.budgetUsed = [...kernel.budgetUsed, draft.now];
    kernel.attempt++;
  }
  kernel.restarts++;
  const delayMs = FREE_OF_CHARGE.has(cause) ? 0 : backOff(kernel.manifest, kernel.attempt, draft.random());
  kernel.dueMono = draft.now + delayMs;
  draft.journal(
    {
      name: 'kernel:restart',
      kernel: id,
      cell: kernel.cell,
      incarnation: kernel.incarnation + 1,
      data: {
        cause,
        attempt: kernel.attempt,
        delayMs: Math.round(delayMs),
        by: FREE_OF_CHARGE.has(cause) && cause !== 'cell' ? cause : 'restart engine',
      },
    },
    kernel.correlation,
  );
  move(draft, id, 'backoff', reason);
  if (delayMs === 0) bringUp(draft, id, `restart after ${cause}`);
}

function staysDown(
  draft: Draft,
  kernel: KernelRecord,
  cause: string,
): { state: 'failed' | 'stopped'; why: string } | null {
  if (cause === 'manual' || cause === 'isolate') return null;
  if (cause === 'incurable') return { state: 'failed', why: 'a restart cannot cure this' };
  if (cause === 'needs') return { state: 'failed', why: 'it is tried again when what it needs is ready' };
  if (!draft.state.safeguards.restartEngine) return { state: 'failed', why: 'the restart engine is switched off' };
  const { class: restartClass } = kernel.manifest.restart;
  if (restartClass === 'temporary') return { state: 'failed', why: 'its restart class is temporary' };
  if (restartClass === 'transient' && cause === 'ended')
    return { state: 'stopped', why: 'it ended by itself and its restart class is transient' };
  return null;
}

function quarantine(draft: Draft, id: string, cause: string, reason: string): void {
  const kernel = move(draft, id, 'quarantined', `${reason}; its restart budget is used up`);
  const { budget, windowMs } = kernel.manifest.restart;
  draft.journal(
    {
      name: 'kernel:quarantine',
      kernel: id,
      cell: kernel.cell,
      incarnation: kernel.incarnation,
      data: { restarts: budget, windowMs, cause },
    },
    kernel.correlation,
  );
  const incident = openIncident(draft, 'quarantine', id, 'exit', { cause, reason, budget, windowMs });
  draft.journal(
    {
      name: 'incident:escalate',
      kernel: id,
      data: { id: incident.id, reason: `${id} used up ${budget} restarts in ${windowMs} ms` },
    },
    kernel.correlation,
  );
  failDependants(draft, id);
}

/** Exponential with +-20 % jitter. The first restart waits `backoffMs` (0 by default), each further one twice as long as the one before, from 100 ms. */
export function backOff(manifest: Pick<KernelManifest, 'restart'>, attempt: number, random: number): number {
  const { backoffMs, backoffMaxMs } = manifest.restart;
  if (attempt <= 1) return backoffMs;
  const base = Math.max(backoffMs, 100) * 2 ** (attempt - 2);
  return Math.min(backoffMaxMs, base * (0.8 + random * 0.4));
}

/** Kernels that wait for one that will not come are told so. Those that run already go on running. */
function failDependants(draft: Draft, id: string): void {
  for (const [other, record] of Object.entries(draft.state.kernels)) {
    if (record.state !== 'waiting' || !record.manifest.needs.includes(id)) continue;
    record.error = { code: 'NEEDS_FAILED', message: `${other} needs ${id}, which is ${draft.kernel(id).state}` };
    goDown(draft, other, 'needs', record.error.message);
  }
}
