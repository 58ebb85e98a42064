import { type EventMap, type KernelState, mayMove } from '@grace/contracts';
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
  if (from === 'running' || to === 'running') tellDependants(draft, id, to === 'running');
  draft.journal(
    {
      name: 'kernel:state',
      kernel: id,
      cell: kernel.cell,
      incarnation: kernel.incarnation,
      data: { from, to, reason, ...whatFollows(kernel) },
    },
    kernel.correlation,
  );
  return kernel;
}

/** What a later supervisor must know to go on from here. */
function whatFollows({ state, cause, after, error }: KernelRecord): Partial<EventMap['kernel:state']> {
  if (state === 'waiting' || state === 'starting' || state === 'probing' || state === 'running') return {};
  return {
    ...(cause === null ? {} : { cause }),
    ...(after === null ? {} : { after }),
    ...(error === null ? {} : { error: { code: error.code, message: error.message } }),
  };
}

/** Those that need it go on; they are told, so that they need not find out by an error. */
function tellDependants(draft: Draft, need: string, up: boolean): void {
  for (const [kernel, record] of Object.entries(draft.state.kernels))
    if (record.state === 'running' && record.manifest.needs.includes(need))
      draft.order({ do: 'tell', kernel, cell: record.cell, need, up });
}
