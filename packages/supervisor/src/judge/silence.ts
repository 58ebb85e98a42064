import type { ThreadSample } from '@grace/contracts';
import { FULL_MACHINE, OBSERVER_LAG_MS } from './heartbeat.ts';
import { above, type JudgementContext } from './judgement.ts';
import { spanBack } from './span.ts';

/** A functional probe without an answer for this long, with nothing else moving either, is silence, ms. */
const SILENT_MS = 1000;
/** Failed probes that take the place of one that waits; more while the machine is full. */
const FAILURES = 1;
const FAILURES_WHEN_FULL = 2;
/** Share of the time it waited for a processor, above which it is starved and not silent. */
const STARVED_SHARE = 0.35;

/**
 * An asynchronous deadlock: the event loop turns and stamps heartbeats, but nobody is served. Blind to a kernel that still handles work while
 * its probe alone hangs: that one is not silent, and its failed probes speak for themselves.
 */
export function judgeSilence(
  window: readonly ThreadSample[],
  context: JudgementContext,
): { confidence: number; evidence: Record<string, unknown> } | null {
  const { inFlightMs, failures } = context.probe;
  const full = context.machineBusy >= FULL_MACHINE;
  const waitsMs = inFlightMs ?? 0;
  if (failures < (full ? FAILURES_WHEN_FULL : FAILURES) && (full || waitsMs < SILENT_MS)) return null;
  if (Math.max(context.agentLagMs, context.supervisorLagMs) > OBSERVER_LAG_MS) return null;
  const span = spanBack(window, Math.max(SILENT_MS, waitsMs));
  if (!span || span.seenMs < SILENT_MS) return null;
  // A probe counts as work, and as a log record, when it is taken up, answered or not.
  const probes = failures + (inFlightMs === null ? 0 : 1);
  if (span.work > probes || span.logs > probes) return null;
  if (span.runDelayMs !== null && span.runDelayMs > STARVED_SHARE * span.forMs) return null;
  return {
    confidence: above(Math.max(waitsMs, failures * SILENT_MS * 2), SILENT_MS),
    evidence: { probeUnansweredMs: Math.round(waitsMs), probeFailures: failures, quietMs: Math.round(span.forMs) },
  };
}
