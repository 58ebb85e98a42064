import type { BusTotals } from './envelope.ts';
import type { DetectorMethod } from './incident.ts';

export interface RunStart {
  run: string;
  seed: number;
  command: string;
  version: string;
  node: string;
  cores: number;
  commit: string | null;
  dirty: boolean | null;
  waves: number;
  trials: number;
  scenarios: string[];
}

export interface TrialStart {
  trial: string;
  wave: number;
  scenario: string;
  title: string;
  variant: string;
  number: number;
  target: string;
  severity: string;
  lease: string;
  correlation: string;
  /** What else an incident of this fault may be about. */
  also?: string[];
  expect: TrialExpectation;
}

/** From the scenario file: what held means for this trial. */
export interface TrialExpectation {
  /** At least one of these methods must have noticed. */
  detectedBy: DetectorMethod[];
  detectWithinMs: number;
  recoverWithinMs: number;
  /** Kernels that may restart because of this fault; all others are untouched. */
  mayRestart: string[];
  /** Exact number of restarts the target must see; null = any. */
  targetRestarts: number | null;
  /** Neighbours' p99 during the trial, at most this many times the quiet one plus `latencySlackMs`. */
  latencyFactor: number;
  latencySlackMs: number;
  /** Which independent methods vouch for recovery; at least two. */
  recoveredBy: ('probe' | 'heartbeat' | 'workload' | 'metric')[];
  /** The playbook that should run, if one should. */
  playbook: string | null;
}

/** A stretch in which something was not let run, by the operating system's account and not by its own doing. */
export interface Withheld {
  fromMono: number;
  toMono: number;
  /** How much of the stretch. */
  ms: number;
  /** Whom: `runner`, `supervisor`, a cell, a kernel, or `machine` for what its host took from all. */
  of: string;
  /** By whom: `others` that ran instead, the `host` of a virtual machine, a slow `disk`, a `stop` signal; `unknown`: its timer came late. */
  by: 'others' | 'host' | 'disk' | 'stop' | 'unknown';
}

export interface WorkloadSample {
  /** Trial it belongs to, or null between trials. */
  trial: string | null;
  fromMono: number;
  toMono: number;
  /** Numbered messages: published and accepted, handled, refused with a code, not handled by the end of the sample. */
  messages: { accepted: number; handled: number; rejected: number; lost: number };
  /** Numbered durable messages, likewise; `repeated` were brought more than once, which at-least-once allows. */
  durable?: { accepted: number; handled: number; rejected: number; repeated: number; lost: number };
  /** From the publish of a numbered message to its arrival, over the bus; durable ones are not among them. */
  roundTrips?: { count: number; p50Ms: number; p99Ms: number };
  /** The broker's own counters over the same stretch, and where they do not fit the workload's; null: not comparable, for this reason. */
  broker?: BrokerReading;
  /** Calls to kernels that no trial of the moment disturbs; `excused` failed on one that a trial does disturb, and counts for nothing. */
  verbs: { ok: number; failed: number; excused?: number; p50Ms: number; p99Ms: number };
  appends: { ok: number; failed: number };
}

/** What the broker counted from the beginning of a stretch to its end. */
export interface BrokerReading {
  /** Differences; `waiting` is what waits at the end. Null: it did not answer, or was restarted in between. */
  totals: Omit<BusTotals, 'denied'> | null;
  /** accepted - (handled + rejected + expired + deadLettered + waiting), at the end: what the broker itself cannot account for. */
  unaccounted: number | null;
  /** Where its counters contradict what the workload counted itself; null: they could not be compared. */
  differences: string[] | null;
  /** Why something here is null. */
  why: string | null;
}
