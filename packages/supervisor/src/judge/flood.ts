import type { DetectorMethod, ThreadSample } from '@grace/contracts';
import { above, type JudgementContext } from './judgement.ts';
import { spanBack } from './span.ts';

/** Log records a second that are a flood: from there on the thread's own log lane drops them (kernel-sdk, log-lane.ts). */
const LOGS_PER_SECOND = 1000;
/** How long a rate must hold, ms; and the shorter span over which it must still hold. */
const SUSTAINED_MS = 1000;
const NOW_MS = 400;

/**
 * A thread that produces more messages or log records than it may. Null: it does not. Sees what the thread asked for, also what was refused.
 * Blind to the level of log records: those below the wanted level count too.
 */
export function judgeFlood(
  window: readonly ThreadSample[],
  context: JudgementContext,
): { method: DetectorMethod; confidence: number; evidence: Record<string, unknown> } | null {
  const long = rates(window, SUSTAINED_MS);
  const now = rates(window, NOW_MS);
  if (!long || !now) return null;
  const most = context.limits.messagesPerSecond;
  if (long.messages > most && now.messages > most)
    return {
      method: 'bus_counter',
      confidence: above(long.messages, most),
      evidence: {
        messagesPerSecond: Math.round(long.messages),
        refusedPerSecond: Math.round(long.refused),
        limit: most,
      },
    };
  if (long.logs > LOGS_PER_SECOND && now.logs > LOGS_PER_SECOND)
    return {
      method: 'log_activity',
      confidence: above(long.logs, LOGS_PER_SECOND),
      evidence: { logsPerSecond: Math.round(long.logs), limit: LOGS_PER_SECOND },
    };
  return null;
}

function rates(
  window: readonly ThreadSample[],
  backMs: number,
): { messages: number; refused: number; logs: number } | null {
  const span = spanBack(window, backMs);
  if (!span || span.forMs <= 0) return null;
  const perSecond = (count: number): number => (count / span.forMs) * 1000;
  return {
    messages: perSecond(span.published),
    refused: perSecond(span.refused),
    // Of each piece of work the thread's own host makes one record, of a level that is seldom written.
    logs: perSecond(Math.max(0, span.logs - span.work)),
  };
}
