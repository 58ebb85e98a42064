import type { CellSample, MemoryPressure } from '@grace/contracts';
import { judgeMemory } from '../judge/growth.ts';
import type { Draft } from './draft.ts';
import { closeIncident, openIncident } from './incidents.ts';
import { drainDown, killCell } from './orders.ts';
import { goDown } from './restart.ts';
import type { KernelRecord } from './state.ts';

/** A kernel is asked to shed at most this often, ms. */
const PRESS_EVERY_MS = 1000;
/** Growth so slow that the kernel may finish what it holds before it is restarted, bytes a second. */
const ORDERLY_BYTES_PER_S = 16 * 1024 ** 2;
/** Pressure must be gone for this long, ms. */
const CALM_MS = 2000;
/** A cell over its limit whose kernels do not hold the memory is ended after this long, ms. */
const OVER_MS = 10_000;
/** Share of the cell's limit from which its largest kernel is asked to shed. */
const PRESSURE = 0.8;
/** A kernel is held to be the reason for its cell's size when it holds at least this share of it. */
const ATTRIBUTABLE = 0.25;

/** Heap and off-heap memory of one thread against its limits. */
export function takeMemory(draft: Draft, id: string, kernel: KernelRecord): void {
  const judged = judgeMemory(kernel.window, kernel.manifest.limits);
  if (judged.verdict === 'none' || judged.of === null) {
    calmMemory(draft, id);
    return;
  }
  const limitBytes = judged.of === 'heap' ? kernel.manifest.limits.heapBytes : kernel.manifest.limits.externalBytes;
  const pressure = { of: judged.of, bytes: Math.round(judged.ratio * limitBytes), limitBytes, ratio: judged.ratio };
  const bytesPerSecond = judged.bytesPerSecond === null ? null : Math.round(judged.bytesPerSecond);
  openIncident(draft, 'memory_pressure', id, 'metric', { ...pressure, bytesPerSecond, msToLimit: judged.msToLimit });
  press(draft, id, kernel, pressure, bytesPerSecond, judged.verdict === 'limit');
  if (judged.verdict !== 'limit') return;
  const grew = bytesPerSecond === null ? '' : `, growing ${Math.round(bytesPerSecond / 1e6)} MB/s`;
  const reason = `${judged.of} memory at ${Math.round(judged.ratio * 100)} % of its limit of ${Math.round(limitBytes / 1024 ** 2)} MiB${grew}`;
  if (kernel.state === 'running' && (bytesPerSecond ?? 0) < ORDERLY_BYTES_PER_S) drainDown(draft, id, 'memory', reason);
  else goDown(draft, id, 'memory', reason);
}

/** The whole host process: more than its threads account for lies in native memory, which no thread's reading shows. */
export function takeCellMemory(draft: Draft, sample: CellSample): void {
  const limitBytes = draft.state.settings.cellMemoryBytes;
  const cell = draft.cell(sample.cell);
  if (sample.rssBytes === null) return;
  if (sample.rssBytes < limitBytes) cell.overMono = null;
  if (sample.rssBytes < limitBytes * PRESSURE) return;
  const ratio = sample.rssBytes / limitBytes;
  const largest = largestOf(draft, sample);
  if (!largest) return;
  const [id, bytes] = largest;
  const kernel = draft.kernel(id);
  openIncident(draft, 'memory_pressure', id, 'metric', {
    of: 'cell',
    cellBytes: sample.rssBytes,
    limitBytes,
    kernelBytes: bytes,
  });
  press(draft, id, kernel, { of: 'cell', bytes: sample.rssBytes, limitBytes, ratio }, null, ratio >= 1);
  if (ratio < 1) return;
  const reason = `cell ${sample.cell} holds ${Math.round(sample.rssBytes / 1024 ** 2)} MiB of its ${Math.round(limitBytes / 1024 ** 2)} MiB`;
  if (bytes >= sample.rssBytes * ATTRIBUTABLE) goDown(draft, id, 'memory', `${reason}; ${id} holds most of it`);
  else {
    // A process keeps what was given back to it for a while, to use it again: only what stays is worth the whole cell.
    cell.overMono ??= draft.now;
    if (draft.now - cell.overMono >= OVER_MS && cell.state === 'online') killCell(draft, sample.cell);
  }
}

function largestOf(draft: Draft, sample: CellSample): [string, number] | undefined {
  const sizes = sample.threads
    .filter(({ kernel }) => draft.state.kernels[kernel]?.state === 'running')
    .map(({ kernel, heapBytes, externalBytes }): [string, number] => [kernel, (heapBytes ?? 0) + (externalBytes ?? 0)]);
  return sizes.sort((a, b) => b[1] - a[1])[0];
}

function press(
  draft: Draft,
  id: string,
  kernel: KernelRecord,
  pressure: MemoryPressure,
  bytesPerSecond: number | null,
  last: boolean,
): void {
  if (!last && draft.now - kernel.pressedMono < PRESS_EVERY_MS) return;
  kernel.pressedMono = draft.now;
  const { cell, incarnation } = kernel;
  draft.journal(
    { name: 'kernel:pressure', kernel: id, cell, incarnation, data: { ...pressure, bytesPerSecond } },
    kernel.correlation,
  );
  // At the limit it is too late to ask.
  if (!last) draft.order({ do: 'press', kernel: id, cell, incarnation, pressure });
}

function calmMemory(draft: Draft, id: string): void {
  for (const incident of Object.values(draft.state.incidents)) {
    if (incident.subject !== id || incident.kind !== 'memory_pressure') continue;
    incident.calmSince ??= draft.now;
    if (draft.now - incident.calmSince >= CALM_MS)
      closeIncident(draft, incident.id, 'its memory is below the mark again; nothing was restarted');
  }
}
