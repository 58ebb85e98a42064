import type {
  CellSample,
  Condition,
  IncidentKind,
  KernelManifest,
  KernelState,
  Safeguards,
  ThreadSample,
  WireError,
} from '@grace/contracts';

/** The whole memory of the decision core. Times are monotonic ms. Plain data: it can be printed, compared and replayed. */
export interface CoreState {
  phase: 'booting' | 'running' | 'stopping' | 'stopped';
  startedMono: number;
  /** How long the boot took, ms; null while it goes on. */
  readyMs: number | null;
  bootDeadlineMono: number;
  stopDeadlineMono: number;
  safeguards: Safeguards;
  /** State of the small generator behind back-off jitter and incident numbers: decisions replay exactly. */
  random: number;
  incidentPrefix: string;
  incidentCount: number;
  kernels: Record<string, KernelRecord>;
  cells: Record<string, CellRecord>;
  incidents: Record<string, OpenIncident>;
  machine: { busy: number; since: number; lagMs: number };
  mutes: Record<string, { denied: number; incident: string }>;
}

export interface KernelRecord {
  manifest: KernelManifest;
  /** Where it lives now; `isolate` changes it. */
  cell: string;
  /** Where it comes up next, when it is being moved. */
  moveTo: string | null;
  state: KernelState;
  since: number;
  /** Whether it should be up at all. */
  wanted: boolean;
  incarnation: number;
  /** When the present start was ordered. */
  orderedMono: number;
  readyMs: number | null;
  tid: number | null;
  verbs: string[];
  /** Its thread: ordered, or there with the module loaded. A kernel that waits for its needs has one already. */
  thread: 'none' | 'loading' | 'loaded';
  /** Restarts that count against the budget, and all of them. */
  budgetUsed: number[];
  restarts: number;
  attempt: number;
  dueMono: number;
  error: WireError | null;
  condition: Condition;
  /** Recent samples, oldest first, at most `WINDOW`. */
  window: ThreadSample[];
  probe: ProbeRecord;
  /** What follows when the thread is gone. */
  after: 'restart' | 'stay down' | null;
  cause: string | null;
  /** Correlation of the fault or incident being handled. */
  correlation: string | undefined;
}

export interface ProbeRecord {
  inFlight: boolean;
  askedMono: number;
  dueMono: number;
  failures: number;
  /** Asked because a heartbeat was missed. */
  suspicion: boolean;
  last: { ok: boolean; ms: number; atMono: number } | null;
}

export interface CellRecord {
  state: 'down' | 'starting' | 'online' | 'stopping';
  incarnation: number;
  pid: number | null;
  orderedMono: number;
  /** A cell that ends again and again comes back slower. */
  failures: number;
  dueMono: number;
  sample: CellSample | null;
}

export interface OpenIncident {
  id: string;
  kind: IncidentKind;
  subject: string;
  openedMono: number;
  methods: string[];
  correlation: string | undefined;
  /** Since when what closes it has been true. */
  calmSince: number | null;
}

/** Samples kept per kernel for judgement. */
export const WINDOW = 20;
