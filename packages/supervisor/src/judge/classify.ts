import type { Condition, ThreadSample } from '@grace/contracts';

export interface Judgement {
  condition: Condition;
  /** 0..1: how far the evidence is from the border to the next condition. */
  confidence: number;
  evidence: Record<string, unknown>;
}

export interface JudgementContext {
  lateAfterMs: number;
  hungAfterMs: number;
  /** The agent's own timer was late by this: when the observer is late, everybody looks late. */
  agentLagMs: number;
  supervisorLagMs: number;
}

/** Share of the missed time a thread waited for a processor, above which it is starved and not to blame. */
const STARVED_SHARE = 0.35;
/** Observer lag above which nobody is accused, ms. */
const OBSERVER_LAG_MS = 150;
/** Event-loop utilisation from which the loop counts as held by one callback. */
const HELD_LOOP = 0.9;
/** CPU share below which a thread with a held loop counts as blocked and not spinning. */
const IDLE_SHARE = 0.2;
/** A spinning thread must have burnt this part of `hungAfterMs` of CPU, whatever the machine let it have. */
const BURNT_SHARE = 0.6;

/**
 * Names the condition of one thread from its latest sample. Pure.
 * What each signal cannot see: docs/architecture/judgement.md. A paused timer looks like a stopped loop to the heartbeat, not to the
 * event-loop utilisation; a busy loop and a blocking call look the same to the utilisation, not to the CPU time; and a thread that is
 * not let on a processor looks stuck to all of these, not to the run-queue delay.
 */
export function classify(sample: ThreadSample, context: JudgementContext): Judgement {
  const { heartbeatAgeMs: age, missed, elu } = sample;
  const base = { heartbeatAgeMs: Math.round(age), elu };
  if (age <= context.lateAfterMs) return { condition: 'healthy', confidence: 1, evidence: base };

  const lag = Math.max(context.agentLagMs, context.supervisorLagMs);
  if (lag > OBSERVER_LAG_MS) {
    return {
      condition: 'starved',
      confidence: share(lag, OBSERVER_LAG_MS),
      evidence: { ...base, observerLagMs: Math.round(lag) },
    };
  }
  if (!missed || missed.forMs <= 0) return { condition: 'late', confidence: 0.5, evidence: base };

  const evidence = { ...base, missed: rounded(missed) };
  const waiting = missed.runDelayMs === null ? 0 : missed.runDelayMs / missed.forMs;
  const burnt = missed.cpuMs;
  const held = elu === null || elu >= HELD_LOOP;

  // CPU really burnt without a heartbeat accuses even on a full machine: a starved thread does not burn it.
  if (held && burnt !== null && burnt >= context.hungAfterMs * BURNT_SHARE) {
    return { condition: 'spinning', confidence: share(burnt, context.hungAfterMs * BURNT_SHARE), evidence };
  }
  if (waiting > STARVED_SHARE) return { condition: 'starved', confidence: share(waiting, STARVED_SHARE), evidence };
  if (
    held &&
    elu !== null &&
    burnt !== null &&
    burnt / missed.forMs < IDLE_SHARE &&
    missed.forMs >= context.hungAfterMs
  ) {
    return { condition: 'blocked', confidence: 1 - burnt / missed.forMs / IDLE_SHARE, evidence };
  }
  return { condition: 'late', confidence: elu === null ? 0.5 : 1 - elu / 2, evidence };
}

/** 0.5 at the border, towards 1 with distance from it. */
function share(value: number, border: number): number {
  return Math.round((1 - border / (2 * value)) * 100) / 100;
}

function rounded(missed: NonNullable<ThreadSample['missed']>): Record<string, number | null> {
  return Object.fromEntries(
    Object.entries(missed).map(([key, value]) => [key, value === null ? null : Math.round(value)]),
  );
}
