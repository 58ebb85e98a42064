import type {
  CellSample,
  Condition,
  CpuMethod,
  IncidentKind,
  KernelManifest,
  KernelState,
  Safeguards,
  SystemSettings,
  ThreadSample,
  WireError,
} from '@grace/contracts';
import type { DownCause } from './causes.ts';

/** The whole memory of the decision core. Times are monotonic ms. Plain data: it can be printed, compared and replayed. */
export interface CoreState {
  phase: 'booting' | 'running' | 'stopping' | 'stopped';
  startedMono: number;
  /** How long the boot took, ms; null while it goes on. */
  readyMs: number | null;
  bootDeadlineMono: number;
  stopDeadlineMono: number;
  safeguards: Safeguards;
  settings: CoreSettings;
  /** State of the small generator behind back-off jitter and incident numbers: decisions replay exactly. */
  random: number;
  incidentPrefix: string;
  incidentCount: number;
  kernels: Record<string, KernelRecord>;
  cells: Record<string, CellRecord>;
  incidents: Record<string, OpenIncident>;
  /** `fullMono`: when every core was last seen busy. */
  machine: { busy: number; since: number; lagMs: number; fullMono: number };
  /** `untilMono`: when its end must have been told at the latest; the broker may have died with it. */
  mutes: Record<string, { denied: number; incident: string; untilMono: number }>;
}

export type CoreSettings = Pick<SystemSettings, 'cellMemoryBytes' | 'overloadAfterMs' | 'overloadCpu' | 'solitaryMs'>;

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
  /** When it was restarted at its own cost, by family of causes; and how often in all. */
  budgetUsed: Record<string, number[]>;
  restarts: number;
  attempt: number;
  dueMono: number;
  error: WireError | null;
  condition: Condition;
  /** Share of one core its thread is held to; null: none. */
  cap: number | null;
  /** By what, and how often a cell has set it. */
  limitMethod: CpuMethod;
  limitSets: number;
  /** What holds it below its manifest's own limit: somebody's order, or overload. */
  throttle: Throttle | null;
  /** When it was last judged starved. */
  starvedMono: number;
  /** When it was told last that its memory is short. */
  pressedMono: number;
  /** Why it lives in a cell of its own, and for how long it must be stable there before it goes back. */
  solitary: { from: string; stableMs: number } | null;
  /** Recent samples, oldest first; which are kept: judge/window.ts. */
  window: ThreadSample[];
  probe: ProbeRecord;
  /** What follows when the thread is gone. */
  after: 'restart' | 'stay down' | 'quarantine' | null;
  cause: DownCause | null;
  /** The same in words, for the record. */
  reason: string | null;
  /** Correlation of the fault or incident being handled. */
  correlation: string | undefined;
}

export interface Throttle {
  cpu: number;
  why: 'hand' | 'overload';
  by: string;
  /** Infinity: until it is lifted. */
  untilMono: number;
  /** Since when it uses clearly less than it may. */
  calmSince: number | null;
}

export interface ProbeRecord {
  /** Since when it owes an answer, over all probes that ran out; null: it answered the last one. */
  unansweredMono: number | null;
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
  /** When its end was ordered; Infinity: it was not. */
  endMono: number;
  /** A cell that ends again and again comes back slower. */
  failures: number;
  dueMono: number;
  sample: CellSample | null;
  /** When the last sample came, by the supervisor's clock. */
  heardMono: number;
  /** Its agent is silent: since when, and what the machine says about its process. */
  silence: Silence | null;
  /** When it was silent last. */
  silentMono: number;
  /** Since when it holds more memory than it may, and no kernel in it is the reason. */
  overMono: number | null;
  /** Ends nobody asked for and nobody is known to have caused. */
  unexplained: number[];
  /** The kernel that is the reason for ending it. */
  culprit: string | null;
}

export interface Silence {
  since: number;
  askedMono: number;
  /** CPU and waiting time of its main thread when first looked at; null where the machine does not tell. */
  from: { cpuMs: number; runDelayMs: number } | null;
}

export interface OpenIncident {
  id: string;
  kind: IncidentKind;
  subject: string;
  openedMono: number;
  methods: string[];
  correlation: string | undefined;
  /** The crash of a cell is over when these are up again, or will not be. */
  waitsFor: string[];
  /** Since when what closes it has been true. */
  calmSince: number | null;
}
