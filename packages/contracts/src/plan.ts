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
  /** Compiled entry files, absolute. */
  entries: { supervisor: string; cell: string; thread: string };
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
  controlSocket: 'run/control.sock',
  busSocket: 'run/bus.sock',
  busKey: 'run/bus.key',
  cells: 'run/cells',
  journal: 'journal',
  logs: 'logs',
  state: 'state',
} as const;

/** Exit code of a supervisor or cell that could not start because the disk of its home is full: it has nowhere to write a reason. */
export const EXIT_STORAGE_FULL = 74;
