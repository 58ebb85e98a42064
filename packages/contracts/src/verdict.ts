import type { DetectorMethod } from './incident.ts';

/** held: everything the scenario promises was seen. broken: something promised is false. inconclusive: it could not be found out. */
export type Verdict = 'held' | 'broken' | 'inconclusive';

/** Milliseconds, or a censored value: not within this time. */
export type Measured = { ms: number } | { moreThanMs: number } | null;

/** One trial as in report.json (contract: fields may be added, never renamed). `...AtMs` count from the record `run:start`. */
export interface TrialResult {
  trial: string;
  scenario: string;
  title: string;
  variant: string;
  number: number;
  target: string;
  severity: string;
  verdict: Verdict;
  /** Sentences, each naming the journal records (`#12`) it rests on. */
  reasons: string[];
  effect: { proven: boolean; observed: Record<string, unknown> };
  injectedAtMs: number | null;
  detectedAtMs: number | null;
  mitigatedAtMs: number | null;
  recoveredAtMs: number | null;
  ttdMs: Measured;
  ttmMs: Measured;
  ttrMs: Measured;
  detectors: { method: DetectorMethod; atMs: number }[];
  playbook: string | null;
  escalated: boolean;
  verification: { check: string; expected: string; observed: string; ok: boolean | null }[];
  collateralRestarts: string[];
  messages: {
    accepted: number;
    handled: number;
    rejected: number;
    expired: number;
    deadLettered: number;
    waiting: number;
    lost: number;
  };
  /** The same counters from each side by itself, and where the two contradict each other; absent in journals of older versions. */
  conservation?: Conservation;
  latency: { quietP99Ms: number | null; duringP99Ms: number | null };
  evidence: string[];
  /** First and last journal record of the trial. */
  records: { from: number; to: number };
}

export interface MessageCounters {
  accepted: number;
  handled: number;
  rejected: number;
  expired: number;
  deadLettered: number;
  waiting: number;
  /** Accepted, and none of the others. */
  lost: number;
}

/** `workload` and `durable`: what the workload counted of its own messages. `broker`: what the broker counted of everybody's. */
export interface Conservation {
  workload: MessageCounters;
  durable: MessageCounters | null;
  broker: MessageCounters | null;
  /** Empty: they agree. Null: they could not be compared. */
  differences: string[] | null;
  /** Why `broker` or `differences` is null. */
  why: string | null;
}

export interface WaveResult {
  n: number;
  severity: string;
  steadyStateBefore: boolean | null;
  steadyStateAfter: boolean | null;
  skipped: string | null;
  trials: TrialResult[];
}

/** Exit codes of the laboratory (contract). */
export const EXIT = {
  held: 0,
  broken: 1,
  inconclusive: 2,
  cleanupIncomplete: 3,
  regression: 4,
  usage: 64,
  internal: 70,
  interrupted: 130,
} as const;

/** What the journal of a run proves. A pure fold: the same records give the same result. */
export interface RunResult {
  waves: WaveResult[];
  totals: {
    waves: number;
    held: number;
    broken: number;
    inconclusive: number;
    successRate: number | null;
    kernelsBooted: number;
    kernelsFinal: number;
    kernelsTotal: number;
    escalations: number;
    falseRestarts: number;
    lostMessages: number;
    /** Over the whole run; absent in journals of older versions. */
    conservation?: Conservation;
  };
  /** Detectors that never fired in the whole run. */
  silentDetectors: DetectorMethod[];
  exit: { code: number; reason: string };
}
