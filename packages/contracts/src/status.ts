import type { BusTotals, BusViolations, MutedPrincipal, UnbalancedFamily } from './envelope.ts';
import type { WireError } from './errors.ts';
import type { Condition, KernelState } from './lifecycle.ts';
import type { KernelLimits } from './manifest.ts';

/** `grace status --json` (contract: fields may be added, never renamed). */
export interface StatusDocument {
  system: {
    state: 'booting' | 'running' | 'degraded' | 'stopping';
    ready: number;
    total: number;
    uptimeMs: number;
    pid: number;
    home: string;
    armed: boolean;
    version: string;
    /** Which limits are enforced, by which means; `none` is said, never hidden. */
    enforcement: { cpu: 'cgroup2' | 'cgroup1' | 'inspector' | 'none'; memory: string };
    /** The guardian that starts the supervisor again when it dies; null: none. */
    guardianPid: number | null;
    lagMsMax: number;
    journalSeq: number;
    /** Journal records the disk refused; 0 unless it is full or broken. */
    journalRefused: number;
  };
  cells: {
    id: string;
    pid: number | null;
    state: 'starting' | 'online' | 'down';
    incarnation: number;
    rssBytes: number | null;
    cpuPercent: number | null;
    kernels: string[];
  }[];
  kernels: KernelStatus[];
  bus: BusTotals & {
    muted: MutedPrincipal[];
    /** Principals that were denied something or are muted, most denied first. */
    violations: BusViolations[];
    /** Families whose account does not add up; must be empty. */
    unbalanced: UnbalancedFamily[];
  };
}

export interface KernelStatus {
  id: string;
  title: string;
  state: KernelState;
  cell: string;
  tid: number | null;
  incarnation: number;
  restarts: number;
  /** From the order to start to the first answered probe, of this incarnation. */
  readyMs: number | null;
  heartbeatAgeMs: number | null;
  cpuPercent: number | null;
  heapBytes: number | null;
  externalBytes: number | null;
  elu: number | null;
  condition: Condition;
  limits: KernelLimits;
  throttled: boolean;
  /** Share of one core it is held to at this moment, by its limit, by hand or for overload; null: none. */
  cap: number | null;
  quarantined: boolean;
  needs: string[];
  logs: number;
  lastProbe: { ok: boolean; ms: number; atMono: number } | null;
  error: WireError | null;
}
