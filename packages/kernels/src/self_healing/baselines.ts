import type { StatusDocument } from '@grace/contracts';

/** How the kernels stood at one moment. */
interface Baseline {
  atMono: number;
  kernels: Record<string, { incarnation: number; restarts: number; logs: number }>;
}

/** The last looks at the system, so that a run can tell what changed since before its incident. */
export interface Baselines {
  take(status: StatusDocument, atMono: number): void;
  /** The latest look before this instant; the earliest there is when all are later. */
  at(mono: number): Baseline | undefined;
}

export function createBaselines(capacity = 60): Baselines {
  const kept: Baseline[] = [];
  return {
    take(status, atMono) {
      const kernels = status.kernels.map(({ id, incarnation, restarts, logs }) => [
        id,
        { incarnation, restarts, logs },
      ]);
      kept.push({ atMono, kernels: Object.fromEntries(kernels) });
      if (kept.length > capacity) kept.shift();
    },
    at: (mono) => kept.findLast((baseline) => baseline.atMono <= mono) ?? kept[0],
  };
}
