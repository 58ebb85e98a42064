/** A job as it is kept: checked, without optionals. Times are milliseconds, instants wall time. */
export interface Job {
  id: string;
  title: string;
  schedule: Schedule;
  action: Action;
  missed: MissedPolicy;
  overlap: OverlapPolicy;
  /** Each run starts up to this much after its due time: how much is fixed by job and due time. */
  jitterMs: number;
  retry: { attempts: number; backoffMs: number; backoffMaxMs: number };
  /** How long one attempt may take. */
  deadlineMs: number;
  paused: boolean;
  createdMs: number;
  /** Id of the message that added it, when it came over the bus: its runs name it as their cause, so that a circle through jobs can be told. */
  cause: string | null;
}

export type Schedule =
  | { kind: 'cron'; cron: string; timezone: string }
  | { kind: 'interval'; everyMs: number; anchorMs: number }
  | { kind: 'once'; atMs: number };

export type Action =
  | { publish: { subject: string; payload: unknown } }
  | { call: { kernel: string; verb: string; input: unknown } };

export const MISSED = ['skip', 'once', 'all'] as const;
/** What becomes of due times that passed while nobody could run them, later than `graceMs`. `all` runs the latest `max` of them. */
export interface MissedPolicy {
  policy: (typeof MISSED)[number];
  graceMs: number;
  max: number;
}

export const OVERLAPS = ['skip', 'queue', 'allow'] as const;
/** What becomes of a due time while an earlier run of the job has not ended. `queue` keeps one waiting, `allow` lets them run side by side. */
export type OverlapPolicy = (typeof OVERLAPS)[number];

export const JOB_LIMITS = {
  jobs: 10_000,
  definitionChars: 65_536,
  cronChars: 200,
  /** 10 years. */
  spanMs: 10 * 365 * 86_400_000,
  /** A due time and its jitter stay within a day. */
  jitterMs: 86_400_000,
  attempts: 100,
  missed: 500,
} as const;

/** Ids of the functional probe's jobs; no job that is added can have one like it. */
export const PROBE_PREFIX = '_probe_';
