import type { Condition, ThreadSample } from '@grace/contracts';
import { judgeFlood } from './flood.ts';
import { judgeMemory } from './growth.ts';
import { judgeHeartbeat } from './heartbeat.ts';
import type { Judgement, JudgementContext, Signal } from './judgement.ts';
import { judgeOverload } from './overload.ts';
import { judgeSilence } from './silence.ts';

export type { Judgement, JudgementContext } from './judgement.ts';

/**
 * Names the condition of one thread from its recent samples, oldest first, all of one incarnation. Pure and total: any window has an
 * answer. What each signal cannot see, and why the order is this one: docs/architecture/judgement.md.
 */
export function classify(window: readonly ThreadSample[], context: JudgementContext): Judgement {
  const signals: Signal[] = [];
  const conclude = (
    condition: Condition,
    said: { confidence: number; evidence: Record<string, unknown> },
    held = false,
  ): Judgement => ({ condition, confidence: said.confidence, evidence: said.evidence, held, signals });

  if (!context.alive) {
    signals.push({ signal: 'exit', says: 'dead' });
    return conclude('dead', { confidence: 1, evidence: { threadEnded: true } });
  }
  const last = window.at(-1);
  if (!last) return conclude('healthy', { confidence: 0, evidence: { samples: 0 } });

  const heartbeat = judgeHeartbeat(window, last, context);
  const memory = judgeMemory(window, context.limits);
  const leaking = memory.verdict !== 'none' && memory.bytesPerSecond !== null;
  const flood = judgeFlood(window, context);
  const overload = judgeOverload(window, last, context);
  const silence = heartbeat.condition === 'healthy' ? judgeSilence(window, context) : null;

  signals.push({ signal: 'heartbeat', says: heartbeat.condition === 'healthy' ? 'healthy' : 'late' });
  if (heartbeat.condition !== 'healthy' && heartbeat.condition !== 'late')
    signals.push({ signal: 'metric', says: heartbeat.condition });
  else if (leaking) signals.push({ signal: 'metric', says: 'leaking' });
  else if (overload) signals.push({ signal: 'metric', says: 'spinning' });
  else signals.push({ signal: 'metric', says: heartbeat.condition });
  if (flood) signals.push({ signal: flood.method, says: 'flooding' });
  probeSays(context, signals);
  if (silence) signals.push({ signal: 'log_activity', says: 'silent' });

  const { held, evidence } = heartbeat;
  const also = (said: { confidence: number; evidence: Record<string, unknown> }): typeof said => ({
    confidence: said.confidence,
    evidence: { ...evidence, ...said.evidence },
  });
  // A thread that sits in a call cannot grow: what was read of its memory is from before.
  if (leaking && heartbeat.condition !== 'blocked') return conclude('leaking', also(remembered(memory)), held);
  if (held) return conclude(heartbeat.condition, heartbeat, true);
  if (flood) return conclude('flooding', also(flood));
  if (overload) return conclude('spinning', also(overload));
  if (silence) return conclude('silent', also(silence));
  return conclude(heartbeat.condition, heartbeat);
}

function remembered(memory: ReturnType<typeof judgeMemory>): { confidence: number; evidence: Record<string, unknown> } {
  return { confidence: Math.min(1, Math.max(0.5, memory.ratio)), evidence: { memory } };
}

/** A probe that waits longer than a healthy heartbeat may, or failed, says silence; one that passed as recently says health. */
function probeSays({ probe, lateAfterMs }: JudgementContext, signals: Signal[]): void {
  if (probe.failures > 0 || (probe.inFlightMs ?? 0) > lateAfterMs) signals.push({ signal: 'probe', says: 'silent' });
  else if (probe.lastOkAgoMs !== null && probe.lastOkAgoMs <= lateAfterMs)
    signals.push({ signal: 'probe', says: 'healthy' });
}
