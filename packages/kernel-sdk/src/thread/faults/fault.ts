/** A fault that a thread does to itself, from the moment it begins to act. */
export type Fault = (lease: HeldLease, params: Readonly<Record<string, unknown>>) => void;

/** The lease as the thread sees it: at any moment it may be over, and then nothing of the fault may be left. */
export interface HeldLease {
  active(): boolean;
}

/** A number from the fault's parameters, within bounds: a drill that asks for more gets the bound. */
export function bounded(value: unknown, bounds: { least: number; most: number; otherwise: number }): number {
  const wanted = typeof value === 'number' && Number.isFinite(value) ? value : bounds.otherwise;
  return Math.min(bounds.most, Math.max(bounds.least, wanted));
}
