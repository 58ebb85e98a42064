import { hasThread } from '@grace/contracts';
import type { Draft } from './draft.ts';
import { move } from './lifecycle.ts';
import { endCell, orderDrain, orderTerminate } from './orders.ts';

/** Drains all kernels, dependants before what they need, and ends the cells. What does not end in time is killed. */
export function beginStop(draft: Draft, reason: string, timeoutMs: number): void {
  if (draft.state.phase === 'stopping') return;
  draft.state.phase = 'stopping';
  draft.state.stopDeadlineMono = draft.now + timeoutMs;
  draft.journal({ name: 'system:stop', data: { reason } });
  for (const [id, kernel] of Object.entries(draft.state.kernels)) {
    kernel.wanted = false;
    kernel.after = 'stay down';
    if (!hasThread(kernel.state) && kernel.thread === 'none' && kernel.state !== 'stopped')
      move(draft, id, 'stopped', reason);
  }
}

export function continueStop(draft: Draft): void {
  const late = draft.now >= draft.state.stopDeadlineMono;
  const up = Object.entries(draft.state.kernels).filter(
    ([, kernel]) => hasThread(kernel.state) || kernel.thread !== 'none',
  );
  for (const [id, kernel] of up) {
    const needed = up.some(([, other]) => other !== kernel && other.manifest.needs.includes(id));
    if (needed && !late) continue;
    if (kernel.state === 'running') {
      move(draft, id, 'draining', 'the system stops');
      orderDrain(draft, id, Math.min(kernel.manifest.drainDeadlineMs, draft.state.stopDeadlineMono - draft.now));
    } else if (kernel.state === 'starting' || kernel.state === 'probing' || kernel.state === 'waiting') {
      move(draft, id, 'stopping', 'the system stops');
      orderTerminate(draft, id);
    }
  }
  for (const [id, cell] of Object.entries(draft.state.cells)) {
    if (cell.state === 'online' && up.every(([, kernel]) => kernel.cell !== id)) {
      endCell(draft, id);
    } else if (late && cell.state !== 'down') draft.order({ do: 'kill-cell', cell: id, incarnation: cell.incarnation });
  }
  if (Object.values(draft.state.cells).every((cell) => cell.state === 'down') && draft.state.phase === 'stopping') {
    draft.state.phase = 'stopped';
    draft.order({ do: 'finish' });
  }
}
