import type { KernelState, StatusDocument } from '@grace/contracts';
import type { Happening } from '../happenings/happening.ts';

/** A kernel of the system as it was last heard of. */
export interface KnownKernel {
  id: string;
  title: string | null;
  cell: string | null;
  needs: string[] | null;
  state: KernelState | 'unknown';
  incarnation: number | null;
  /** The journal record that said it is ready; null: the supervisor said so, or it is not. */
  readyRecord: number | null;
}

/** Kernels register by what the journal says of them, and by the supervisor's list where the beginning was not heard. */
export interface KernelRoll {
  hear(happening: Happening): void;
  /** The supervisor's own list. */
  read(status: StatusDocument): void;
  get(id: string): KnownKernel | undefined;
  all(): KnownKernel[];
}

/** There are never so many kernels; what is beyond is no list of kernels. */
const KERNELS_MAX = 2000;

export function createKernelRoll(): KernelRoll {
  const kernels = new Map<string, KnownKernel>();
  /** Of the last record heard of each: a list that is older says nothing new. */
  const heard = new Map<string, number>();
  const known = (id: string): KnownKernel | undefined => {
    if (!kernels.has(id) && kernels.size < KERNELS_MAX) {
      kernels.set(id, {
        id,
        title: null,
        cell: null,
        needs: null,
        state: 'unknown',
        incarnation: null,
        readyRecord: null,
      });
    }
    return kernels.get(id);
  };
  return {
    hear({ seq, record }) {
      if (!record.name.startsWith('kernel:') || record.kernel === undefined) return;
      const kernel = known(record.kernel);
      if (!kernel) return;
      heard.set(kernel.id, seq);
      kernel.cell = record.cell ?? kernel.cell;
      kernel.incarnation = record.incarnation ?? kernel.incarnation;
      if (record.name === 'kernel:state') kernel.state = record.data.to;
      if (record.name === 'kernel:ready') {
        kernel.state = 'running';
        kernel.readyRecord = seq;
      }
      if (kernel.state !== 'running') kernel.readyRecord = null;
    },
    read(status) {
      for (const { id, title, cell, needs, state, incarnation } of status.kernels) {
        const kernel = known(id);
        if (!kernel) continue;
        if ((heard.get(id) ?? 0) > status.system.journalSeq) {
          Object.assign(kernel, { title, needs });
          continue;
        }
        const isSame = kernel.incarnation === incarnation && state === 'running';
        Object.assign(kernel, { title, cell, needs, state, incarnation });
        if (!isSame) kernel.readyRecord = null;
      }
      const listed = new Set(status.kernels.map(({ id }) => id));
      for (const id of kernels.keys())
        if (!listed.has(id) && (heard.get(id) ?? 0) <= status.system.journalSeq) kernels.delete(id);
    },
    get: (id) => kernels.get(id),
    all: () => [...kernels.values()].sort((a, b) => (a.id < b.id ? -1 : 1)),
  };
}
