/**
 * Faults are leases: recorded before they are injected, held by the target, renewed by the runner, undone by the target when they lapse.
 * They exist only in a system that was booted armed, under a drill permit.
 */
export const THREAD_FAULTS = [
  'heartbeat_pause',
  'cpu_spin',
  'catastrophic_regex',
  'atomics_wait',
  'fifo_read',
  'cpu_storm',
  'heap_leak',
  'external_leak',
  'huge_allocation',
  'uncaught_throw',
  'process_exit',
  'torn_write',
] as const;
export const CELL_FAULTS = ['segmentation_fault', 'agent_block'] as const;
/** Faults of the laboratory's own actors: processes outside the system. */
export const ACTOR_FAULTS = ['acl_spam', 'cpu_hog', 'topic_flood', 'log_damage'] as const;

export type ThreadFault = (typeof THREAD_FAULTS)[number];
export type CellFault = (typeof CELL_FAULTS)[number];
export type ActorFault = (typeof ACTOR_FAULTS)[number];
export type FaultKind = ThreadFault | CellFault | ActorFault;

export interface FaultLease {
  id: string;
  kind: FaultKind;
  /** Kernel id, cell id, or the principal of an actor. */
  target: string;
  /** The incarnation of the target it is bound to; it never acts on a successor. */
  incarnation: number;
  /** How long the fault acts at most, ms. */
  durationMs: number;
  /** It lapses when it was not renewed for this long, ms. */
  ttlMs: number;
  correlation: string;
  permit: string;
  params: Record<string, unknown>;
}

export interface DrillPermit {
  id: string;
  /** Who drills. */
  holder: string;
  faults: readonly FaultKind[];
  /** Monotonic ms. */
  untilMono: number;
  /** `governance`; `armed boot` in a system without it. */
  issuer: string;
}
