import type { Draft } from './draft.ts';
import { move } from './lifecycle.ts';
import { goDown } from './restart.ts';
import { bringUp, ensureCell } from './start.ts';

/** A restart that somebody asked for: drained first, and free of the restart budget unless a playbook asked. */
export function restartByHand(
  draft: Draft,
  id: string,
  by: string,
  reason: string,
  correlation: string | undefined,
): void {
  const kernel = draft.kernel(id);
  kernel.wanted = true;
  if (correlation !== undefined) kernel.correlation = correlation;
  kernel.cause = by === 'self_healing' ? 'playbook' : 'manual';
  if (by !== 'self_healing') {
    // Somebody has looked: the back-off starts anew, and so does the budget.
    kernel.attempt = 0;
    kernel.budgetUsed = [];
  }
  if (kernel.state === 'running') {
    move(draft, id, 'draining', `restart asked by ${by}: ${reason}`);
    kernel.after = 'restart';
    orderDrain(draft, id, kernel.manifest.drainDeadlineMs);
  } else if (
    kernel.state === 'failed' ||
    kernel.state === 'quarantined' ||
    kernel.state === 'stopped' ||
    kernel.state === 'backoff'
  ) {
    kernel.restarts++;
    bringUp(draft, id, `restart asked by ${by}: ${reason}`);
  } else if (kernel.state === 'starting' || kernel.state === 'probing') {
    goDown(draft, id, 'manual', `restart asked by ${by}: ${reason}`);
  }
}

/** Moves a kernel into a cell of its own. */
export function isolateByHand(draft: Draft, id: string, by: string): void {
  const kernel = draft.kernel(id);
  const cell = `solo_${id}`;
  if (kernel.cell === cell) return;
  const wasRunning = kernel.state === 'running';
  ensureCell(draft, cell);
  kernel.after = 'restart';
  kernel.cause = 'isolate';
  kernel.wanted = true;
  if (wasRunning) {
    move(draft, id, 'draining', `isolation asked by ${by}`);
    orderDrain(draft, id, kernel.manifest.drainDeadlineMs);
  } else if (kernel.state !== 'waiting' && kernel.state !== 'stopping' && kernel.state !== 'draining') {
    goDown(draft, id, 'isolate', `isolation asked by ${by}`);
  }
  kernel.moveTo = cell;
}

export function orderDrain(draft: Draft, id: string, deadlineMs: number): void {
  const kernel = draft.kernel(id);
  draft.order({
    do: 'drain',
    kernel: id,
    cell: kernel.cell,
    incarnation: kernel.incarnation,
    deadlineMs: Math.max(1, Math.round(deadlineMs)),
  });
}
