import { hasThread, type KernelManifest, type WireError } from '@grace/contracts';
import { forgetBacklogs } from './backlog.ts';
import { type DownCause, FREE_OF_CHARGE, familyOf, INCURABLE } from './causes.ts';
import type { Draft } from './draft.ts';
import { openIncident } from './incidents.ts';
import { move } from './lifecycle.ts';
import { orderTerminate } from './orders.ts';
import { bringUp, lostNeed } from './start.ts';
import type { KernelRecord } from './state.ts';

/** Takes a kernel down; what follows is settled when its thread is gone. */
export function goDown(draft: Draft, id: string, cause: DownCause, reason: string): void {
  const kernel = draft.kernel(id);
  kernel.cause = cause;
  if (kernel.state !== 'draining' && kernel.state !== 'stopping') kernel.reason = reason;
  if (kernel.after !== 'quarantine') kernel.after = kernel.wanted ? 'restart' : 'stay down';
  if (kernel.state === 'stopping') return;
  if (hasThread(kernel.state) || kernel.thread !== 'none') {
    move(draft, id, 'stopping', reason);
    orderTerminate(draft, id);
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
  if (id === 'message_bus') forgetBacklogs(draft);
  if (kernel.after === 'quarantine' && draft.state.phase !== 'stopping') {
    giveUp(draft, id, 0, kernel.reason ?? reason);
    return;
  }
  if (!kernel.wanted || kernel.after === 'stay down' || draft.state.phase === 'stopping') {
    move(draft, id, 'stopped', reason);
    return;
  }
  const stays = staysDown(draft, kernel, cause);
  if (stays) {
    kernel.error ??= { code: 'KERNEL_GONE', message: reason };
    move(draft, id, stays.state, `${reason}; ${stays.why}`);
    return;
  }
  if (!FREE_OF_CHARGE.has(cause)) {
    const family = familyOf(cause);
    const { budget, windowMs } = kernel.manifest.restart;
    const used = (kernel.budgetUsed[family] ?? []).filter((at) => at > draft.now - windowMs);
    if (used.length >= budget) {
      giveUp(draft, id, used.length, `${reason}; its restart budget is used up`);
      return;
    }
    kernel.budgetUsed = { ...kernel.budgetUsed, [family]: [...used, draft.now] };
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
  cause: DownCause,
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

/** No more restarts: the incident is escalated, and the others go on. */
function giveUp(draft: Draft, id: string, restarts: number, reason: string): void {
  const kernel = move(draft, id, 'quarantined', reason);
  const { windowMs } = kernel.manifest.restart;
  const cause = kernel.cause ?? 'crash';
  kernel.after = null;
  kernel.wanted = false;
  draft.journal(
    {
      name: 'kernel:quarantine',
      kernel: id,
      cell: kernel.cell,
      incarnation: kernel.incarnation,
      data: { restarts, windowMs, cause },
    },
    kernel.correlation,
  );
  const incident = openIncident(draft, 'quarantine', id, 'exit', { cause, reason, restarts, windowMs });
  const why = cause === 'quarantine' ? reason : `${id} used up ${restarts} restarts in ${windowMs} ms`;
  draft.journal({ name: 'incident:escalate', kernel: id, data: { id: incident.id, reason: why } }, kernel.correlation);
}

/** Exponential with +-20 % jitter. The first restart waits `backoffMs` (0 by default), each further one twice as long as the one before, from 100 ms. */
export function backOff(manifest: Pick<KernelManifest, 'restart'>, attempt: number, random: number): number {
  const { backoffMs, backoffMaxMs } = manifest.restart;
  if (attempt <= 1) return backoffMs;
  const base = Math.max(backoffMs, 100) * 2 ** (attempt - 2);
  return Math.min(backoffMaxMs, base * (0.8 + random * 0.4));
}

/** A kernel that waits for one that will not come is told so, and is tried again when it does. Those that run already go on running. */
export function missNeed(draft: Draft, id: string): void {
  const kernel = draft.kernel(id);
  const need = lostNeed(draft, kernel);
  if (need === undefined || !kernel.wanted) return;
  kernel.error = { code: 'NEEDS_FAILED', message: `${id} needs ${need}, which is ${draft.kernel(need).state}` };
  goDown(draft, id, 'needs', kernel.error.message);
}
