import type { Draft } from './draft.ts';
import { drainDown, endCell } from './orders.ts';
import { ensureCell } from './start.ts';
import type { KernelRecord } from './state.ts';

/** How much longer a kernel stays alone each time that it had to be moved again. */
const LONGER = 2;
/** Longest time alone before it is tried again among others, ms. */
const STABLE_MAX_MS = 3_600_000;

export const cellOfItsOwn = (id: string): string => `solo_${id}`;

/** The kernel that took its cell down comes up in a cell of its own, so that next time it takes nobody with it. */
export function sendToSolitary(draft: Draft, id: string): void {
  if (draft.state.phase === 'stopping') return;
  const kernel = draft.kernel(id);
  const cell = cellOfItsOwn(id);
  if (kernel.cell === cell || kernel.moveTo === cell) return;
  const alone = [...draft.kernelsOf(kernel.cell)].length === 1;
  if (alone) return;
  kernel.solitary = longerAlone(kernel, draft.state.settings.solitaryMs);
  kernel.moveTo = cell;
  // Its own process starts while the old one still ends.
  ensureCell(draft, cell);
  moved(draft, id, kernel, cell, 'solitary');
}

/** Twice as long as the last time. */
export function longerAlone(kernel: KernelRecord, solitaryMs: number): NonNullable<KernelRecord['solitary']> {
  const stableMs = kernel.solitary === null ? solitaryMs : kernel.solitary.stableMs * LONGER;
  return { from: kernel.cell, stableMs: Math.min(STABLE_MAX_MS, stableMs) };
}

/** A kernel that was stable alone for long enough goes back: drained, and only while nothing else is going on. */
export function returnIfStable(draft: Draft, id: string, kernel: KernelRecord): void {
  const { solitary } = kernel;
  if (!solitary || kernel.state !== 'running' || kernel.cell === solitary.from) return;
  if (draft.now - kernel.since < solitary.stableMs || somethingGoesOn(draft)) return;
  kernel.moveTo = solitary.from;
  kernel.after = 'restart';
  moved(draft, id, kernel, solitary.from, 'return');
  drainDown(
    draft,
    id,
    'isolate',
    `stable alone for ${Math.round(solitary.stableMs / 1000)} s: it returns to ${solitary.from}`,
  );
}

/** A machine that is busy for reasons of its own may stay so for ever. */
function somethingGoesOn(draft: Draft): boolean {
  return Object.values(draft.state.incidents).some(({ kind }) => kind !== 'cpu_saturation');
}

export function moved(
  draft: Draft,
  id: string,
  kernel: KernelRecord,
  to: string,
  why: 'solitary' | 'isolate' | 'return',
): void {
  draft.journal(
    {
      name: 'kernel:move',
      kernel: id,
      cell: kernel.cell,
      incarnation: kernel.incarnation,
      data: { from: kernel.cell, to, why },
    },
    kernel.correlation,
  );
}

/** A cell that nobody lives in any more, and nobody will, ends. */
export function endIfEmpty(draft: Draft, id: string): void {
  const cell = draft.cell(id);
  if (cell.state !== 'online') return;
  const lived = Object.values(draft.state.kernels).some((kernel) => kernel.cell === id || kernel.moveTo === id);
  const awaited = Object.values(draft.state.kernels).some((kernel) => kernel.solitary?.from === id);
  if (lived || awaited) return;
  endCell(draft, id);
}
