import type { WireError } from '@grace/contracts';
import type { Draft } from './draft.ts';
import { closeIncidentsOf } from './incidents.ts';
import { move } from './lifecycle.ts';
import type { KernelRecord } from './state.ts';
import { limitNewThread } from './throttle.ts';

/** How soon a first probe that failed is asked again, ms; the start deadline bounds it all. */
const FIRST_PROBE_RETRY_MS = 100;

/** Brings a kernel that is down on its way: its cell, then its thread. Modules load at once in parallel; `start` waits for the needs. */
export function bringUp(draft: Draft, id: string, reason: string): void {
  const kernel = draft.kernel(id);
  if (kernel.moveTo !== null) kernel.cell = kernel.moveTo;
  kernel.moveTo = null;
  kernel.incarnation++;
  kernel.orderedMono = draft.now;
  kernel.readyMs = null;
  kernel.tid = null;
  kernel.thread = 'none';
  kernel.window = [];
  kernel.condition = 'healthy';
  kernel.cap = null;
  kernel.starvedMono = -Infinity;
  kernel.pressedMono = -Infinity;
  kernel.after = null;
  kernel.probe = {
    inFlight: false,
    askedMono: 0,
    unansweredMono: null,
    dueMono: Infinity,
    failures: 0,
    suspicion: false,
    last: kernel.probe.last,
  };
  if (kernel.state !== 'waiting') move(draft, id, 'waiting', reason);
  ensureCell(draft, kernel.cell);
  if (draft.cell(kernel.cell).state === 'online') load(draft, id, kernel);
}

export function ensureCell(draft: Draft, id: string): void {
  const cell = draft.cell(id);
  if (cell.state !== 'down' || cell.dueMono > draft.now) return;
  cell.state = 'starting';
  cell.incarnation++;
  cell.orderedMono = draft.now;
  cell.endMono = Infinity;
  cell.culprit = null;
  cell.overMono = null;
  draft.order({ do: 'spawn-cell', cell: id, incarnation: cell.incarnation });
}

export function cellOnline(draft: Draft, id: string, pid: number): void {
  const cell = draft.cell(id);
  cell.state = 'online';
  cell.pid = pid;
  cell.heardMono = draft.now;
  cell.silence = null;
  draft.journal({
    name: 'cell:online',
    cell: id,
    incarnation: cell.incarnation,
    data: { pid, ms: Math.round(draft.now - cell.orderedMono) },
  });
  for (const [kernel, record] of draft.kernelsOf(id))
    if (record.state === 'waiting' && record.wanted) load(draft, kernel, record);
}

function load(draft: Draft, id: string, kernel: KernelRecord): void {
  kernel.thread = 'loading';
  draft.order({ do: 'load', kernel: id, cell: kernel.cell, incarnation: kernel.incarnation });
}

export function kernelLoaded(draft: Draft, id: string, tid: number): void {
  const kernel = draft.kernel(id);
  kernel.thread = 'loaded';
  kernel.tid = tid;
  limitNewThread(draft, id, kernel);
  startIfFree(draft, id);
}

/** Something it needs that is down and will not come by itself. */
export function lostNeed(draft: Draft, kernel: KernelRecord): string | undefined {
  return kernel.manifest.needs.find((need) => {
    const state = draft.state.kernels[need]?.state;
    return state === undefined || state === 'failed' || state === 'quarantined' || state === 'stopped';
  });
}

/** Runs `start` when the module is loaded and every need is running. */
export function startIfFree(draft: Draft, id: string): void {
  const kernel = draft.kernel(id);
  if (kernel.state !== 'waiting' || kernel.thread !== 'loaded' || !kernel.wanted) return;
  if (kernel.manifest.needs.some((need) => draft.state.kernels[need]?.state !== 'running')) return;
  move(draft, id, 'starting', 'loaded, and all it needs is running');
  kernel.dueMono = draft.now + kernel.manifest.startDeadlineMs;
  draft.order({
    do: 'start',
    kernel: id,
    cell: kernel.cell,
    incarnation: kernel.incarnation,
    deadlineMs: kernel.manifest.startDeadlineMs,
  });
}

export function kernelStarted(draft: Draft, id: string, verbs: string[]): void {
  const kernel = move(draft, id, 'probing', 'started; now it must do its job once');
  kernel.verbs = verbs;
  askProbe(draft, id, Math.max(1, kernel.dueMono - draft.now));
}

export function askProbe(draft: Draft, id: string, deadlineMs: number): void {
  const kernel = draft.kernel(id);
  if (kernel.probe.inFlight) return;
  kernel.probe.inFlight = true;
  kernel.probe.askedMono = draft.now;
  kernel.probe.unansweredMono ??= draft.now;
  draft.order({
    do: 'probe',
    kernel: id,
    cell: kernel.cell,
    incarnation: kernel.incarnation,
    deadlineMs: Math.ceil(deadlineMs),
  });
}

/** The answer to the first functional probe: only now is the kernel ready. */
export function firstProbe(
  draft: Draft,
  id: string,
  ok: boolean,
  detail: Record<string, unknown>,
  error: WireError | null,
): void {
  const kernel = draft.kernel(id);
  if (!ok) {
    kernel.error = error;
    kernel.probe.dueMono = draft.now + FIRST_PROBE_RETRY_MS;
    return;
  }
  move(draft, id, 'running', 'its functional probe has answered');
  kernel.readyMs = Math.round((draft.now - kernel.orderedMono) * 10) / 10;
  kernel.error = null;
  kernel.dueMono = Infinity;
  // Spread, so that the probes of many kernels do not come in one moment.
  kernel.probe.dueMono = draft.now + kernel.manifest.probe.intervalMs * (0.5 + draft.random() / 2);
  draft.journal(
    {
      name: 'kernel:ready',
      kernel: id,
      cell: kernel.cell,
      incarnation: kernel.incarnation,
      data: { readyMs: kernel.readyMs, probe: detail },
    },
    kernel.correlation,
  );
  closeIncidentsOf(draft, id, 'the kernel is ready again');
  for (const [other, record] of Object.entries(draft.state.kernels)) {
    if (!record.manifest.needs.includes(id)) continue;
    if (record.state === 'failed' && record.error?.code === 'NEEDS_FAILED' && record.wanted && !lostNeed(draft, record))
      bringUp(draft, other, `${id} is ready now`);
    else startIfFree(draft, other);
  }
}
