import type { DownCause } from './causes.ts';
import type { Draft } from './draft.ts';
import { move } from './lifecycle.ts';

/**
 * How long `terminate()` may take before only the end of the process helps, ms. Measured: 2-4 ms for loops, never for native blocks. A stack
 * that is being taken comes before it, and has its own time.
 */
const TERMINATE_MS = 600;
/** On a full machine everything takes longer, also what can be ended, ms. */
const TERMINATE_FULL_MS = 1500;
/** An agent that is late itself is not a thread that cannot be ended, and its mates must not pay for the difference, ms. */
export const TERMINATE_LONGEST_MS = 3000;
/** How long ago the machine may have been full for that, ms; and how late an agent may be, ms. */
const JUST_FULL_MS = 2000;
const LATE_AGENT_MS = 100;

export function terminateDeadlineMs(draft: Draft, cell: string): number {
  const late = (draft.cell(cell).sample?.agentLagMs ?? 0) > LATE_AGENT_MS;
  const full = draft.now - draft.state.machine.fullMono < JUST_FULL_MS;
  if (late) return TERMINATE_LONGEST_MS;
  return full ? TERMINATE_FULL_MS : TERMINATE_MS;
}

/** The kernel finishes what it holds, and goes down by `cause`. */
export function drainDown(draft: Draft, id: string, cause: DownCause, reason: string): void {
  const kernel = draft.kernel(id);
  kernel.cause = cause;
  kernel.reason = reason;
  if (kernel.after === null) kernel.after = kernel.wanted ? 'restart' : 'stay down';
  move(draft, id, 'draining', reason);
  orderDrain(draft, id, kernel.manifest.drainDeadlineMs);
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

export function orderTerminate(draft: Draft, id: string): void {
  const kernel = draft.kernel(id);
  draft.order({
    do: 'terminate',
    kernel: id,
    cell: kernel.cell,
    incarnation: kernel.incarnation,
    deadlineMs: terminateDeadlineMs(draft, kernel.cell),
  });
}

export function killCell(draft: Draft, id: string): void {
  const cell = draft.cell(id);
  if (cell.state === 'down') return;
  cell.state = 'stopping';
  cell.endMono = draft.now;
  draft.order({ do: 'kill-cell', cell: id, incarnation: cell.incarnation });
}

export function endCell(draft: Draft, id: string): void {
  const cell = draft.cell(id);
  cell.state = 'stopping';
  cell.endMono = draft.now;
  draft.order({ do: 'end-cell', cell: id, incarnation: cell.incarnation });
}
