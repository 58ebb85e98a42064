import { EXIT_STORAGE_FULL, hasThread } from '@grace/contracts';
import { forgetMutes } from './bus-guard.ts';
import type { Draft } from './draft.ts';
import { openIncident } from './incidents.ts';
import { settleDown, startFailed } from './restart.ts';

/** A cell that lived this long starts its back-off anew, ms. */
const STABLE_MS = 30_000;

/** The host process ended: all its kernels are down, none of them is blamed, and all come back at once. */
export function cellExit(
  draft: Draft,
  id: string,
  exit: { pid: number; code: number | null; signal: string | null },
): void {
  const cell = draft.cell(id);
  const expected = cell.state === 'stopping' || draft.state.phase === 'stopping';
  const down = [...draft.kernelsOf(id)].filter(
    ([, kernel]) => hasThread(kernel.state) || kernel.thread !== 'none' || kernel.state === 'waiting',
  );
  draft.journal(
    {
      name: 'cell:exit',
      cell: id,
      incarnation: cell.incarnation,
      data: { ...exit, expected, kernels: down.map(([kernel]) => kernel) },
    },
    down.map(([, kernel]) => kernel.correlation).find((correlation) => correlation !== undefined),
  );
  cell.failures = draft.now - cell.orderedMono > STABLE_MS ? 1 : cell.failures + 1;
  cell.state = 'down';
  cell.pid = null;
  cell.sample = null;
  cell.dueMono = cell.failures <= 1 ? draft.now : draft.now + Math.min(5000, 100 * 2 ** (cell.failures - 2));
  if (!expected) openIncident(draft, 'cell_crash', id, 'exit', { ...exit });
  for (const [kernel, record] of down) {
    if (kernel === 'message_bus') forgetMutes(draft);
    // The one that was being taken down keeps its own cause; the others were only in the same process.
    if (record.state !== 'stopping') record.cause = 'cell';
    if (record.state === 'waiting' && record.thread === 'none') {
      cannotStart(draft, kernel, id, exit);
      continue;
    }
    settleDown(draft, kernel, `its cell ${id} ended`);
  }
}

/** A kernel that waits for its cell keeps waiting, and knows why; on a disk that is full at boot it is told so and fails. */
function cannotStart(
  draft: Draft,
  kernel: string,
  cell: string,
  exit: { code: number | null; signal: string | null },
): void {
  const record = draft.kernel(kernel);
  const full = exit.code === EXIT_STORAGE_FULL;
  record.error = full
    ? { code: 'STORAGE_FULL', message: `the disk of the home is full: cell ${cell} cannot start` }
    : {
        code: 'CELL_GONE',
        message: `cell ${cell} ended before it was ready (${exit.signal ?? `exit code ${exit.code}`})`,
      };
  if (full && draft.state.phase === 'booting') startFailed(draft, kernel, record.error);
}
