import type { CoreState } from '../core/state.ts';

/** What a service manager wants to know of a system. */
export interface Standing {
  phase: CoreState['phase'];
  ready: number;
  total: number;
  /** Kernels that are not running: `id is state`. */
  down: string[];
}

export function standingOf({ phase, kernels }: Pick<CoreState, 'phase' | 'kernels'>): Standing {
  const all = Object.entries(kernels);
  const down = all.filter(([, { state }]) => state !== 'running').map(([id, { state }]) => `${id} is ${state}`);
  return { phase, ready: all.length - down.length, total: all.length, down };
}
