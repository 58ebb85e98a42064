import type { Condition } from './lifecycle.ts';

export const DETECTORS = ['heartbeat', 'probe', 'log_activity', 'metric', 'exit', 'bus_counter'] as const;
/** The independent methods by which something is noticed. */
export type DetectorMethod = (typeof DETECTORS)[number];

export type IncidentKind =
  | 'heartbeat_gap'
  | 'kernel_hung'
  | 'kernel_crash'
  | 'kernel_start_failed'
  | 'cell_crash'
  | 'cell_frozen'
  | 'cpu_saturation'
  | 'cpu_overload'
  | 'memory_pressure'
  | 'flooding'
  | 'acl_violation'
  | 'bus_unbalanced'
  | 'queue_backlog'
  | 'record_damaged'
  | 'quarantine';

export interface Incident {
  id: string;
  kind: IncidentKind;
  /** Kernel, cell or principal. */
  subject: string;
  cell?: string;
  incarnation?: number;
  title: string;
  severity: 'low' | 'moderate' | 'high' | 'critical';
  openedMono: number;
  openedWall: number;
  closedMono?: number;
  outcome?: string;
  escalated: boolean;
  correlation?: string;
  detectors: { method: DetectorMethod; atMono: number; evidence: Record<string, unknown> }[];
  condition?: Condition;
  /** Sequence numbers of the journal records that belong to it. */
  events: number[];
}
