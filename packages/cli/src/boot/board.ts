import type { AnyRecord, KernelState, StatusDocument, WireError } from '@grace/contracts';

/** What a boot has come to: a fold over the journal that starts from a status. */
export interface Board {
  kernels: Map<string, BoardKernel>;
  /** Process ids of cells, to end them if it comes to that. */
  cells: Map<string, number>;
}

export interface BoardKernel {
  id: string;
  cell: string;
  state: KernelState;
  readyMs: number | null;
  error: WireError | null;
}

export function boardOf(status: StatusDocument): Board {
  return {
    kernels: new Map(
      status.kernels.map(({ id, cell, state, readyMs, error }) => [id, { id, cell, state, readyMs, error }]),
    ),
    cells: new Map(status.cells.flatMap(({ id, pid }) => (pid === null ? [] : [[id, pid] as const]))),
  };
}

/** Takes a record in; answers with the kernel whose state changed, if one did. */
export function applyRecord(board: Board, record: AnyRecord): BoardKernel | undefined {
  if (record.cell !== undefined && (record.name === 'cell:start' || record.name === 'cell:online')) {
    board.cells.set(record.cell, record.data.pid);
  }
  if (record.name === 'cell:exit' && record.cell !== undefined) board.cells.delete(record.cell);
  const kernel = record.kernel === undefined ? undefined : board.kernels.get(record.kernel);
  if (!kernel) return undefined;
  switch (record.name) {
    case 'kernel:state':
      kernel.state = record.data.to;
      if (record.data.to === 'running') kernel.error = null;
      if (record.data.to === 'failed' || record.data.to === 'quarantined')
        kernel.error ??= { code: 'KERNEL_START', message: record.data.reason };
      if (record.data.to === 'starting' && record.cell !== undefined) kernel.cell = record.cell;
      return kernel;
    case 'kernel:ready':
      kernel.readyMs = record.data.readyMs;
      return kernel;
    case 'kernel:exit':
      kernel.error = record.data.error ?? kernel.error;
      return undefined;
    default:
      return undefined;
  }
}
