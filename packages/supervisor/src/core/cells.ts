import { EXIT_STORAGE_FULL, hasThread } from '@grace/contracts';
import type { Draft } from './draft.ts';
import { closeIncident, hasOpen, openIncident } from './incidents.ts';
import { settleDown, startFailed } from './restart.ts';
import { sendToSolitary } from './solitary.ts';
import type { KernelRecord } from './state.ts';

/** A cell that lived this long starts its back-off anew, ms. */
const STABLE_MS = 30_000;
/** A cell that ends this often within a minute, with nobody to blame, is dissolved: alone, the one at fault gives itself away. */
const UNEXPLAINED_MAX = 3;
const UNEXPLAINED_WINDOW_MS = 60_000;

/** The host process ended: all its kernels are down, and all come back at once; only a known culprit is blamed. */
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
  cell.silence = null;
  cell.dueMono = cell.failures <= 1 ? draft.now : draft.now + Math.min(5000, 100 * 2 ** (cell.failures - 2));
  const culprit = cell.culprit ?? (expected ? null : suspectIn(draft, down, exit));
  if (!expected) {
    const incident = openIncident(draft, 'cell_crash', id, 'exit', { ...exit, culprit });
    incident.waitsFor = down.map(([kernel]) => kernel);
    draft.order({
      do: 'evidence',
      kind: 'cell_output',
      kernel: culprit,
      cell: id,
      incarnation: cell.incarnation,
      incident: incident.id,
      correlation: incident.correlation,
      pid: exit.pid,
      error: null,
    });
    if (culprit !== null) sendToSolitary(draft, culprit);
    else unexplained(draft, id, down);
  }
  endSilence(draft, id);
  for (const [kernel, record] of down) {
    // What happened to one before it may have settled this one too.
    if (!hasThread(record.state) && record.thread === 'none' && record.state !== 'waiting') continue;
    // The one that was being taken down keeps its own cause; the others were only in the same process.
    if (record.state !== 'stopping' && record.state !== 'draining')
      record.cause = kernel === culprit ? 'crash' : 'cell';
    if (record.state === 'waiting' && record.thread === 'none') {
      cannotStart(draft, kernel, id, exit);
      continue;
    }
    settleDown(draft, kernel, `its cell ${id} ended`);
  }
}

/** Who was about to take the process down: the one whose memory was out of bounds, or the only one there. */
function suspectIn(
  draft: Draft,
  down: [string, KernelRecord][],
  exit: { code: number | null; signal: string | null },
): string | null {
  const up = down.filter(([, kernel]) => kernel.thread === 'loaded');
  if (up.length === 1 && !fromOutside(exit)) return up[0]![0];
  const grown = up.filter(([kernel]) => hasOpen(draft, kernel, 'memory_pressure'));
  return grown.length === 1 ? grown[0]![0] : null;
}

/** No program ends its own process like this; and of an adopted process it is not known how it ended. */
function fromOutside({ code, signal }: { code: number | null; signal: string | null }): boolean {
  return signal === 'SIGKILL' || signal === 'SIGTERM' || code === 0 || (code === null && signal === null);
}

function unexplained(draft: Draft, id: string, down: [string, KernelRecord][]): void {
  const cell = draft.cell(id);
  const recent = cell.unexplained.filter((at) => at > draft.now - UNEXPLAINED_WINDOW_MS);
  cell.unexplained = [...recent, draft.now];
  if (cell.unexplained.length < UNEXPLAINED_MAX) return;
  cell.unexplained = [];
  for (const [kernel] of down) sendToSolitary(draft, kernel);
}

function endSilence(draft: Draft, id: string): void {
  for (const incident of Object.values(draft.state.incidents))
    if (incident.kind === 'cell_frozen' && incident.subject === id)
      closeIncident(draft, incident.id, 'its process has ended, and is replaced');
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
