import { hasThread } from '@grace/contracts';
import type { Draft } from './draft.ts';
import { killCell, TERMINATE_LONGEST_MS } from './orders.ts';
import { goDown } from './restart.ts';
import { sendToSolitary } from './solitary.ts';
import type { KernelRecord } from './state.ts';

/**
 * The kill ladder, softest rung first: drain, `terminate()`, SIGKILL of the cell. Each rung is answered by the cell within its own deadline;
 * the ones here are the core's, for a cell that answers nothing at all.
 */

/** What the cell has beyond the deadline it keeps itself, ms: the answer has to travel, and the cell may be late. */
const ANSWER_MS = 2000;

/** Loading a module may be slow on a cold disk, ms. */
const LOAD_DEADLINE_MS = 20_000;

/** A process that was sent SIGKILL and is still there is sent it again, ms. */
const KILL_AGAIN_MS = 2000;

/** Last rung: `terminate()` did not return, so the thread sits in native code, and only the end of its process ends it. */
export function threadStuck(draft: Draft, id: string, why: string): void {
  const kernel = draft.kernel(id);
  draft.journal(
    {
      name: 'kernel:stuck',
      kernel: id,
      cell: kernel.cell,
      incarnation: kernel.incarnation,
      data: { rung: why, evidence: { next: 'SIGKILL of the cell', mates: matesOf(draft, id, kernel) } },
    },
    kernel.correlation,
  );
  draft.cell(kernel.cell).culprit = id;
  sendToSolitary(draft, id);
  killCell(draft, kernel.cell);
}

function matesOf(draft: Draft, id: string, kernel: KernelRecord): string[] {
  return [...draft.kernelsOf(kernel.cell)].map(([other]) => other).filter((other) => other !== id);
}

/** Rungs whose answer never came. */
export function overdueKernel(draft: Draft, id: string, kernel: KernelRecord): void {
  const waitedMs = draft.now - kernel.since;
  if (kernel.state === 'draining' && waitedMs > kernel.manifest.drainDeadlineMs + ANSWER_MS)
    goDown(draft, id, kernel.cause ?? 'manual', 'its cell did not answer the order to drain it');
  else if (kernel.state === 'stopping' && waitedMs > TERMINATE_LONGEST_MS + ANSWER_MS && cellLives(draft, kernel))
    threadStuck(draft, id, 'its cell did not answer the order to terminate it');
  else if (
    kernel.state === 'waiting' &&
    kernel.thread === 'loading' &&
    draft.now - kernel.orderedMono > LOAD_DEADLINE_MS
  )
    goDown(draft, id, 'start', `its module was not loaded after ${LOAD_DEADLINE_MS} ms`);
}

export function overdueCell(draft: Draft, id: string): void {
  const cell = draft.cell(id);
  if (cell.state === 'stopping' && draft.now - cell.endMono > KILL_AGAIN_MS) killCell(draft, id);
}

function cellLives(draft: Draft, kernel: KernelRecord): boolean {
  return hasThread(kernel.state) && draft.cell(kernel.cell).state === 'online';
}
