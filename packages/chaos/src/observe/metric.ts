import { type FaultKind, type StatusDocument, systemClock } from '@grace/contracts';
import { machineCpu, threadCpuMs } from '../fault/process-table.ts';
import { kernelOf, type TargetView } from './target.ts';

/** Whether the figure the fault drives is back to normal; null = cannot be read at this moment. */
export type Metric = (status: StatusDocument | null) => boolean | null;

/** Share of a core above which one thread is not at rest. */
const THREAD_BUSY = 0.8;
/** Share of all cores above which the machine is full. */
export const MACHINE_BUSY = 0.9;

/** More than this waiting on the bus, beside what waited before, is a backlog. */
const BACKLOG = 64;

/**
 * The metric that fits a fault and its target: what waits on the bus, the bytes on the disk, the CPU of threads, the mute of a principal, or
 * the CPU of the machine.
 */
export function metricOf(
  target: TargetView,
  fault: FaultKind,
  before: StatusDocument,
  isFaultOver: () => boolean,
): Metric {
  // The actor ends when everything it owes is handled; the broker must say the same.
  if (fault === 'topic_flood')
    return (status) => isFaultOver() && (status ? status.bus.waiting <= before.bus.waiting + BACKLOG : null);
  // The actor ends when its damage does not stand on the disk any more.
  if (fault === 'log_damage') return isFaultOver;
  switch (target.kind) {
    case 'kernel':
    case 'cellOf':
      return threadsAtRest(target.kernels);
    case 'principal':
      return (status) => isFaultOver() || (status?.bus.muted.some(({ principal }) => principal === target.id) ?? null);
    case 'machine':
      return machineAtRest(isFaultOver);
  }
}

function threadsAtRest(kernels: readonly string[]): Metric {
  let before = new Map<number, { cpuMs: number; atMono: number }>();
  return (status) => {
    if (!status) return null;
    const now = new Map<number, { cpuMs: number; atMono: number }>();
    const shares: number[] = [];
    for (const id of kernels) {
      const kernel = kernelOf(status, id);
      const pid = status.cells.find((cell) => cell.id === kernel?.cell)?.pid ?? null;
      if (!kernel?.tid || pid === null) continue;
      const cpuMs = threadCpuMs(pid, kernel.tid);
      if (cpuMs === null) continue;
      const atMono = systemClock.monoMs();
      now.set(kernel.tid, { cpuMs, atMono });
      const last = before.get(kernel.tid);
      if (last) shares.push((cpuMs - last.cpuMs) / (atMono - last.atMono));
    }
    before = now;
    return shares.length < kernels.length ? null : shares.every((share) => share < THREAD_BUSY);
  };
}

/** What others burn on the same machine is not this fault: when the laboratory's own load is gone, that much is back to normal. */
function machineAtRest(isFaultOver: () => boolean): Metric {
  let before = machineCpu();
  return () => {
    if (isFaultOver()) return true;
    const now = machineCpu();
    if (!now || !before || now.total === before.total) return null;
    const busy = (now.busy - before.busy) / (now.total - before.total);
    before = now;
    return busy < MACHINE_BUSY;
  };
}
