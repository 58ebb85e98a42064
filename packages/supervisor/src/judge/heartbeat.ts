import type { Condition, ThreadSample } from '@grace/contracts';
import { above, type JudgementContext } from './judgement.ts';
import { type Stuck, sinceLife } from './life.ts';

/** Share of the missed time a thread waited for a processor, above which it is starved and not to blame. */
const STARVED_SHARE = 0.35;
/** On a full machine it is starved from this share on: a thread that hardly waited hardly wanted to run. */
const WAITS_SHARE = 0.15;
/** Observer lag above which nobody is accused, ms. */
export const OBSERVER_LAG_MS = 150;
/** Share of all cores that is busy, from which the machine is full. */
export const FULL_MACHINE = 0.95;
/** Event-loop utilisation from which the loop counts as held by one callback. */
const HELD_LOOP = 0.9;
/** CPU share below which a thread with a held loop counts as blocked and not spinning. */
const IDLE_SHARE = 0.2;
/** Share of the time a thread waited for a disk, above which the disk holds it; for no longer than this is a disk only slow, ms. */
const DISK_SHARE = 0.35;
const SLOW_DISK_MS = 20_000;
/** A spinning thread must have burnt this part of `hungAfterMs` of CPU, whatever the machine let it have. */
const BURNT_SHARE = 0.6;

export interface HeartbeatJudgement {
  condition: Extract<Condition, 'healthy' | 'late' | 'starved' | 'spinning' | 'blocked'>;
  confidence: number;
  evidence: Record<string, unknown>;
  held: boolean;
}

/**
 * Why the heartbeat of a thread does not come. A paused timer looks like a stopped loop to the heartbeat, not to the event-loop utilisation;
 * a busy loop and a blocking call look the same to the utilisation, not to the CPU time; and a thread that is not let on a processor looks
 * stuck to all of these, not to the run-queue delay.
 */
export function judgeHeartbeat(
  window: readonly ThreadSample[],
  last: ThreadSample,
  context: JudgementContext,
): HeartbeatJudgement {
  const { hungAfterMs } = context;
  const base = { heartbeatAgeMs: Math.round(last.heartbeatAgeMs), elu: last.elu };
  const say = (
    condition: HeartbeatJudgement['condition'],
    confidence: number,
    evidence: Record<string, unknown>,
  ): HeartbeatJudgement => ({
    condition,
    confidence,
    evidence: { ...base, ...evidence },
    held: condition === 'spinning' || condition === 'blocked',
  });
  if (last.heartbeatAgeMs <= context.lateAfterMs)
    return say('healthy', above(context.lateAfterMs, Math.max(1, last.heartbeatAgeMs)), {});

  const lagMs = Math.max(context.agentLagMs, context.supervisorLagMs);
  if (lagMs > OBSERVER_LAG_MS)
    return say('starved', above(lagMs, OBSERVER_LAG_MS), { observerLagMs: Math.round(lagMs) });
  const full = context.machineBusy >= FULL_MACHINE;
  const stuck = sinceLife(window, last, context.probe.lastOkAgoMs);
  const paused = isPaused(last, stuck, context.lateAfterMs);
  const waitedMost = hasWaited(last, stuck, context.lateAfterMs);
  const otherwise = (evidence: Record<string, unknown>, waited: number | null): HeartbeatJudgement =>
    !paused && (waitedMost || (full && (waited === null || waited > WAITS_SHARE)))
      ? say('starved', 0.5, { ...evidence, machineBusy: context.machineBusy })
      : say('late', last.elu === null ? 0.5 : 1 - last.elu / 2, evidence);

  if (!stuck || stuck.forMs <= 0) return otherwise({}, null);
  const { cpuMs, elu, seenMs } = stuck;
  const waited = stuck.runDelayMs === null ? null : stuck.runDelayMs / stuck.forMs;
  const evidence = {
    stuckMs: Math.round(stuck.forMs),
    cpuMs: rounded(cpuMs),
    runDelayMs: rounded(stuck.runDelayMs),
    ...(stuck.diskMs ? { diskMs: rounded(stuck.diskMs) } : {}),
    ...(last.cap === null ? {} : { cap: last.cap }),
    ...(seenMs < stuck.forMs ? { seenMs: Math.round(seenMs) } : {}),
  };
  // Its probe has just passed: whatever the numbers say, the loop turned.
  const turned = context.probe.lastOkAgoMs !== null && context.probe.lastOkAgoMs <= context.lateAfterMs;
  const held = !turned && (elu === null || elu >= HELD_LOOP);

  // CPU really burnt without a heartbeat accuses even on a full machine or below a limit: a thread that is not let run does not burn it.
  const burntMs = hungAfterMs * BURNT_SHARE;
  if (held && cpuMs !== null && cpuMs >= burntMs) return say('spinning', above(cpuMs, burntMs), evidence);
  const starved = waited !== null && waited > STARVED_SHARE;
  const idle = held && elu !== null && cpuMs !== null && !starved;
  if (last.cap !== null && last.cap < 1) {
    // Held back by ourselves, for as long as what it took too much takes to be made up for. Idle far beyond that: it does not want to run.
    const enoughMs = (2 * hungAfterMs) / last.cap;
    const used = (cpuMs ?? 0) / (seenMs * last.cap);
    return idle && seenMs >= enoughMs && used < IDLE_SHARE
      ? say('blocked', 1 - used / IDLE_SHARE / 2, evidence)
      : say('late', 0.5, evidence);
  }
  if (starved && paused) return say('late', 0.5, evidence);
  if (starved) return say('starved', above(waited, STARVED_SHARE), evidence);
  const disk = (stuck.diskMs ?? 0) / Math.max(1, seenMs);
  if (held && disk > DISK_SHARE && stuck.diskMs! <= SLOW_DISK_MS)
    return say('starved', above(disk, DISK_SHARE), evidence);
  if (full && waited === null) return otherwise(evidence, waited);
  const enoughMs = full ? 2 * hungAfterMs : hungAfterMs;
  if (idle && seenMs >= enoughMs && cpuMs / seenMs < IDLE_SHARE)
    return say('blocked', 1 - cpuMs / seenMs / IDLE_SHARE / 2, evidence);
  return otherwise(evidence, waited);
}

/**
 * Whether the loop turned without its heartbeat: it was idle for longer than it waited for a processor, and a loop runs the timers that are
 * due before it goes idle. A moment ago it was seen to live, so what it waited since then says nothing about the heartbeat.
 */
function isPaused({ missed, elu }: ThreadSample, stuck: Stuck | null, lateAfterMs: number): boolean {
  if (!missed || !stuck || missed.runDelayMs === null || elu === null || stuck.forMs > lateAfterMs) return false;
  return (1 - elu) * missed.forMs - missed.runDelayMs >= lateAfterMs;
}

/**
 * Whether a thread that was seen to live a moment ago has waited for a processor for most of the time in which its heartbeat was missing: it
 * works off what has come, and has not turned its loop yet. What it did in that moment says nothing about the rest.
 */
function hasWaited({ missed, cap }: ThreadSample, stuck: Stuck | null, lateAfterMs: number): boolean {
  if (!missed || !stuck || missed.runDelayMs === null || stuck.forMs > lateAfterMs) return false;
  return (cap ?? 1) >= 1 && missed.runDelayMs > STARVED_SHARE * missed.forMs;
}

function rounded(value: number | null): number | null {
  return value === null ? null : Math.round(value);
}
