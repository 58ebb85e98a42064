import { GraceError, type KernelStatus, type StatusDocument } from '@grace/contracts';
import type { TargetSource } from '../scenario/scenario.ts';

/** The target of one trial as it stood before the fault. */
export interface TargetView {
  kind: TargetSource['kind'];
  /** Kernel id, cell id, principal, or `machine`. */
  id: string;
  /** Incarnation the lease is bound to; 0 for what has none. */
  incarnation: number;
  /** The cell it lives in, or the target itself; null for targets outside the system. */
  cell: string | null;
  /** Host process of the target; null for targets outside the system. */
  pid: number | null;
  /** Thread of the target kernel. */
  tid: number | null;
  /** The target kernel, or every kernel of the target cell. */
  kernels: string[];
  /** Every kernel of the cell of the target. */
  cellMates: string[];
  /** What else an incident of this fault may be about: the consumer that a flood leaves behind. */
  also: string[];
}

/** @throws GraceError `FAULT_TARGET` when the target is not there or not running */
export function resolveTarget(status: StatusDocument, target: TargetSource, also: string[] = []): TargetView {
  const outside = { also, incarnation: 0, cell: null, pid: null, tid: null, kernels: [], cellMates: [] };
  if (target.kind === 'principal') return { kind: 'principal', id: target.principal, ...outside };
  if (target.kind === 'machine') return { kind: 'machine', id: 'machine', ...outside };
  const kernel = kernelOf(status, target.kernel);
  const cell = status.cells.find(({ id }) => id === kernel?.cell);
  if (!kernel || !cell || cell.pid === null || kernel.state !== 'running')
    throw new GraceError('FAULT_TARGET', `${target.kernel} is not running, so nothing can be injected into it`);
  if (target.kind === 'cellOf') {
    return {
      kind: 'cellOf',
      id: cell.id,
      incarnation: cell.incarnation,
      cell: cell.id,
      pid: cell.pid,
      tid: null,
      kernels: cell.kernels,
      cellMates: cell.kernels,
      also,
    };
  }
  return {
    kind: 'kernel',
    id: kernel.id,
    incarnation: kernel.incarnation,
    cell: cell.id,
    pid: cell.pid,
    tid: kernel.tid,
    kernels: [kernel.id],
    cellMates: cell.kernels,
    also,
  };
}

/** Whose thread and process are read meanwhile: the target's; a principal of the bus weighs on the broker's. */
export function readable(status: StatusDocument, target: TargetView): Pick<TargetView, 'pid' | 'tid'> {
  if (target.kind !== 'principal') return target;
  const broker = kernelOf(status, 'message_bus');
  return { pid: status.cells.find(({ id }) => id === broker?.cell)?.pid ?? null, tid: broker?.tid ?? null };
}

export function kernelOf(status: StatusDocument, id: string): KernelStatus | undefined {
  return status.kernels.find((kernel) => kernel.id === id);
}
