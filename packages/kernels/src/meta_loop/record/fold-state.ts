import type { IncidentFact, RunFact } from './facts.ts';

/** What must be remembered between two records. Plain data: it is kept beside the place in the journal. */
export interface FoldState {
  /** The last record taken; 0: none. */
  seq: number;
  /** Drill permits by id: until when, wall time. */
  permits: Record<string, number>;
  kernels: Record<string, KernelMemory>;
  open: Record<string, OpenIncident>;
  runs: Record<string, RunFact>;
  /** Injected faults by correlation. */
  faults: Record<string, Fault>;
}

interface Fault {
  lease: string;
  target: string;
  injectedMono: number;
  /** When it was first seen to act; null: it was not. */
  actsMono: number | null;
  undone: boolean;
}

export interface KernelMemory {
  condition: string;
  up: boolean;
  exited: boolean;
  pressed: boolean;
  cellExited: boolean;
  /** The first sign of trouble since the last sign of health. */
  symptomMono: number | null;
  exitMono: number | null;
}

export interface OpenIncident extends IncidentFact {
  openedMono: number;
  detectedMono: number | null;
  correlation: string | null;
  methods: string[];
}

/** The oldest of what never came to an end is forgotten. */
const HELD_MAX = 500;

export function newFold(): FoldState {
  return { seq: 0, permits: {}, kernels: {}, open: {}, runs: {}, faults: {} };
}

/** Whether a drill has its hand in it: a fault of the same correlation, or a permit in force. */
export function isDrill(state: FoldState, atMs: number, correlation: string | undefined): boolean {
  return (
    Object.values(state.permits).some((untilMs) => atMs <= untilMs) ||
    (correlation !== undefined && state.faults[correlation] !== undefined)
  );
}

export function newMemory(): KernelMemory {
  return {
    ...{ condition: 'healthy', up: false, exited: false, pressed: false, cellExited: false },
    ...{ symptomMono: null, exitMono: null },
  };
}

/** Forgets the oldest above the bound. */
export function bound(held: Record<string, unknown>): void {
  const ids = Object.keys(held);
  if (ids.length > HELD_MAX) delete held[ids[0]!];
}
