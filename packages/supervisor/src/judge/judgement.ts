import type { Condition, DetectorMethod, KernelLimits } from '@grace/contracts';

/** What the samples of one kernel say at one moment. */
export interface Judgement {
  condition: Condition;
  /** 0..1: how far the evidence is from the border to the next condition; 0.5 at the border. 0: nothing was measured yet. */
  confidence: number;
  evidence: Record<string, unknown>;
  /**
   * One callback holds the event loop: the heartbeat and the metrics of the thread agree. Alone among all judgements this one, together
   * with an unanswered functional probe, speaks for a restart. A thread that burns a core while its loop turns is `spinning`, not held.
   */
  held: boolean;
  /** What each method says by itself; methods with nothing to say are left out. */
  signals: Signal[];
}

export interface Signal {
  signal: DetectorMethod;
  says: Condition;
}

/** What is known beside the samples. Times are ms. */
export interface JudgementContext {
  heartbeatMs: number;
  lateAfterMs: number;
  hungAfterMs: number;
  limits: KernelLimits;
  /** The agent's own timer was late by this: when the observer is late, everybody looks late. */
  agentLagMs: number;
  supervisorLagMs: number;
  /** Share of all cores that is busy, 0..1. */
  machineBusy: number;
  /** False: its thread ended without being asked. */
  alive: boolean;
  /** A thread that burns all it may for this long is overloaded. */
  overloadAfterMs: number;
  /** The functional probe: since when one waits for its answer, how many failed in a row, and how long ago one passed. */
  probe: { inFlightMs: number | null; failures: number; lastOkAgoMs: number | null };
}

/** 0.5 at the border, towards 1 with distance above it. */
export function above(value: number, border: number): number {
  return value <= 0 ? 0.5 : Math.round(Math.min(1, Math.max(0.5, 1 - border / (2 * value))) * 100) / 100;
}
