import { type KernelState, mayMove } from '@grace/contracts';
import type { Draft } from './draft.ts';
import type { KernelRecord } from './state.ts';

/**
 * The one function that changes a kernel's state. A move that the table in contracts/src/lifecycle.ts does not allow is a defect of the
 * core, so it throws.
 */
export function move(draft: Draft, id: string, to: KernelState, reason: string): KernelRecord {
  const kernel = draft.kernel(id);
  const from = kernel.state;
  if (from === to) return kernel;
  if (!mayMove(from, to)) throw new Error(`kernel ${id} may not move from ${from} to ${to} (${reason})`);
  kernel.state = to;
  kernel.since = draft.now;
  draft.journal(
    {
      name: 'kernel:state',
      kernel: id,
      cell: kernel.cell,
      incarnation: kernel.incarnation,
      data: { from, to, reason },
    },
    kernel.correlation,
  );
  return kernel;
}
