import type { AclDocument } from './envelope.ts';
import type { Safeguards } from './events.ts';
import type { KernelManifest } from './manifest.ts';

/** Everything a supervisor needs, checked and without optionals: the composition root compiles it once, the supervisor reads it as JSON. */
export interface SystemPlan {
  format: 1;
  version: string;
  /** Absolute. */
  home: string;
  armed: boolean;
  kernels: KernelManifest[];
  acl: AclDocument;
  safeguards: Safeguards;
  settings: SystemSettings;
  /** The grace.yaml it was compiled from, absolute; the file need not exist. Read again by `grace bus reload`. */
  configFile: string;
  /** Compiled entry files, absolute. */
  entries: { guardian: string; supervisor: string; cell: string; thread: string };
  /** Files of playbooks and scenarios in force, absolute. */
  playbooks: string[];
}

export interface SystemSettings {
  /** How often a cell agent looks at heartbeat ages, ms. */
  watchMs: number;
  /** How often it takes a whole sample when nothing is late, ms. */
  sampleMs: number;
  logLevel: 'trace' | 'debug' | 'info' | 'warn' | 'error';
  logMaxBytes: number;
  logFiles: number;
  /** A cell that finds no supervisor for this long drains and ends, ms. */
  orphanMs: number;
  /** Memory of one host process: at 80 % its largest kernel is asked to shed, at the limit that kernel is restarted. */
  cellMemoryBytes: number;
  /** A kernel without a CPU limit that keeps a whole core busy for this long, and still answers, is held at `overloadCpu` until it calms. */
  overloadAfterMs: number;
  /** Share of one core; null: overload is only written down. */
  overloadCpu: number | null;
  /** How long a kernel that was moved into a cell of its own must run there before it comes back, ms. */
  solitaryMs: number;
  /** Deadline of the whole boot, ms. */
  bootDeadlineMs: number;
  /** Mute: denied messages within `muteWindowMs` before a principal is muted, and the first period; it doubles up to the maximum. */
  muteThreshold: number;
  muteWindowMs: number;
  mutePeriodMs: number;
  mutePeriodMaxMs: number;
  maxPayloadBytes: number;
}

export const SETTINGS_DEFAULTS: SystemSettings = {
  watchMs: 50,
  sampleMs: 500,
  logLevel: 'info',
  logMaxBytes: 8e6,
  logFiles: 5,
  orphanMs: 10_000,
  cellMemoryBytes: 2 * 1024 ** 3,
  overloadAfterMs: 3000,
  overloadCpu: 0.5,
  solitaryMs: 60_000,
  bootDeadlineMs: 30_000,
  muteThreshold: 200,
  muteWindowMs: 1000,
  mutePeriodMs: 2000,
  mutePeriodMaxMs: 60_000,
  maxPayloadBytes: 1e6,
};

/** Files of a home, relative to it. One system per home. */
export const HOME = {
  plan: 'run/plan.json',
  lock: 'run/supervisor.lock',
  guardian: 'run/guardian.pid',
  controlSocket: 'run/control.sock',
  busSocket: 'run/bus.sock',
  busKey: 'run/bus.key',
  /** Access rules given to a running system, instead of the plan's. */
  acl: 'run/acl.json',
  cells: 'run/cells',
  journal: 'journal',
  logs: 'logs',
  state: 'state',
  evidence: 'evidence',
  /** Where api_server listens, while it does. */
  api: 'state/api_server/api.json',
} as const;

/** Exit code of a supervisor or cell that could not start because the disk of its home is full: it has nowhere to write a reason. */
export const EXIT_STORAGE_FULL = 74;
