import type { EventMap } from '@grace/contracts';
import { hasThread, type KernelState } from '@grace/contracts';
import type { Draft } from './draft.ts';
import { closeIncidentsOf } from './incidents.ts';
import { drainDown } from './orders.ts';
import { goDown } from './restart.ts';
import { cellOfItsOwn, moved } from './solitary.ts';
import { bringUp, ensureCell } from './start.ts';
import { throttleByHand } from './throttle.ts';

type Order = EventMap['kernel:hand']['order'];

const DOWN: ReadonlySet<KernelState> = new Set<KernelState>(['failed', 'quarantined', 'stopped', 'backoff']);

/** A restart that somebody asked for: drained first, and free of the restart budget unless a playbook asked. */
export function restartByHand(
  draft: Draft,
  id: string,
  by: string,
  reason: string,
  correlation: string | undefined,
): void {
  const kernel = draft.kernel(id);
  note(draft, id, 'restart', by, reason);
  kernel.wanted = true;
  if (correlation !== undefined) kernel.correlation = correlation;
  kernel.cause = by === 'self_healing' ? 'playbook' : 'manual';
  if (by !== 'self_healing') {
    // Somebody has looked: the back-off starts anew, and so does the budget.
    kernel.attempt = 0;
    kernel.budgetUsed = {};
  }
  const why = `restart asked by ${by}: ${reason}`;
  if (kernel.state === 'running') {
    kernel.after = 'restart';
    drainDown(draft, id, kernel.cause, why);
  } else if (DOWN.has(kernel.state)) {
    kernel.restarts++;
    bringUp(draft, id, why);
  } else if (kernel.state === 'starting' || kernel.state === 'probing') {
    goDown(draft, id, kernel.cause, why);
  } else if (kernel.state !== 'waiting') kernel.after = 'restart';
}

/** Moves a kernel into a cell of its own, for good. */
export function isolateByHand(draft: Draft, id: string, by: string): void {
  const kernel = draft.kernel(id);
  const cell = cellOfItsOwn(id);
  if (kernel.cell === cell && kernel.solitary === null) return;
  note(draft, id, 'isolate', by, 'by hand');
  kernel.solitary = null;
  moved(draft, id, kernel, cell, 'isolate');
  if (kernel.cell === cell) return;
  ensureCell(draft, cell);
  kernel.after = 'restart';
  kernel.wanted = true;
  kernel.moveTo = cell;
  const why = `isolation asked by ${by}`;
  if (kernel.state === 'running') drainDown(draft, id, 'isolate', why);
  else if (DOWN.has(kernel.state)) bringUp(draft, id, why);
  else if (kernel.state !== 'stopping' && kernel.state !== 'draining') goDown(draft, id, 'isolate', why);
}

/** Down in an orderly way, until somebody resumes it. */
export function pauseByHand(draft: Draft, id: string, by: string): void {
  const kernel = draft.kernel(id);
  note(draft, id, 'pause', by, 'by hand');
  kernel.wanted = false;
  kernel.after = 'stay down';
  const why = `paused by ${by}`;
  if (kernel.state === 'running') drainDown(draft, id, 'pause', why);
  else if (
    hasThread(kernel.state) ||
    kernel.thread !== 'none' ||
    kernel.state === 'waiting' ||
    kernel.state === 'backoff'
  )
    goDown(draft, id, 'pause', why);
  closeIncidentsOf(draft, id, why);
}

export function resumeByHand(draft: Draft, id: string, by: string): void {
  const kernel = draft.kernel(id);
  note(draft, id, 'resume', by, 'by hand');
  kernel.wanted = true;
  kernel.attempt = 0;
  kernel.budgetUsed = {};
  if (DOWN.has(kernel.state)) bringUp(draft, id, `resumed by ${by}`);
  else kernel.after = 'restart';
}

/** Down at once, with an escalated incident, until somebody restarts it. */
export function quarantineByHand(draft: Draft, id: string, by: string, reason: string): void {
  const kernel = draft.kernel(id);
  if (kernel.state === 'quarantined') return;
  note(draft, id, 'quarantine', by, reason);
  kernel.after = 'quarantine';
  const why = `quarantine asked by ${by}: ${reason}`;
  if (kernel.state === 'running') drainDown(draft, id, 'quarantine', why);
  else goDown(draft, id, 'quarantine', why);
}

export function throttleByOrder(
  draft: Draft,
  order: { kernel: string; by: string; cpu: number | null; forMs: number | null },
): void {
  const { kernel, by, cpu, forMs } = order;
  const share = cpu === null ? 'lifted' : `${Math.round(cpu * 100)} % of a core`;
  const why = forMs === null ? share : `${share} for ${Math.round(forMs)} ms`;
  note(draft, kernel, 'throttle', by, why, { cpu, forMs });
  throttleByHand(draft, kernel, by, cpu, forMs);
}

function note(
  draft: Draft,
  id: string,
  order: Order,
  by: string,
  reason: string,
  more: { cpu?: number | null; forMs?: number | null } = {},
): void {
  const { cell, incarnation, correlation } = draft.kernel(id);
  draft.journal(
    { name: 'kernel:hand', kernel: id, cell, incarnation, data: { order, by, reason, ...more } },
    correlation,
  );
}
