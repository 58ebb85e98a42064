import type { ThreadSample } from '@grace/contracts';
import { OBSERVER_LAG_MS } from './heartbeat.ts';
import { above, type JudgementContext } from './judgement.ts';
import { spanBack } from './span.ts';

/** Share of what it may have (one core, or its limit) that an overloaded thread burns over `overloadAfterMs` ... */
const BURNING_SHARE = 0.9;
/** ... and still burns now, over this span, ms: the period of a CPU limit is 100 ms, so a shorter one would flicker. */
const NOW_MS = 400;
const STILL_SHARE = 0.8;

/** A thread that burns all the CPU it may have, whether or not its event loop turns. Null: it does not. */
export function judgeOverload(
  window: readonly ThreadSample[],
  last: ThreadSample,
  context: JudgementContext,
): { confidence: number; evidence: Record<string, unknown> } | null {
  if (Math.max(context.agentLagMs, context.supervisorLagMs) > OBSERVER_LAG_MS) return null;
  const may = Math.min(1, last.cap ?? 1);
  const whole = cpuShare(window, context.overloadAfterMs);
  const now = cpuShare(window, NOW_MS);
  if (whole === null || now === null || whole < BURNING_SHARE * may || now < STILL_SHARE * may) return null;
  return {
    confidence: above(whole, BURNING_SHARE * may),
    evidence: { cpuShare: Math.round(whole * 100) / 100, overMs: context.overloadAfterMs, cap: last.cap },
  };
}

/** A gap in the samples lies in the divisor alone: it can only make the share smaller. */
function cpuShare(window: readonly ThreadSample[], backMs: number): number | null {
  const span = spanBack(window, backMs);
  return span === null || span.cpuMs === null || span.forMs <= 0 ? null : span.cpuMs / span.forMs;
}
