import type { ThreadSample } from '@grace/contracts';
import { gapsSince } from './span.ts';

/** What a thread did since its last sign of life, ms. Null where the machine does not tell. */
export interface Stuck {
  forMs: number;
  /** `forMs` without the gaps between samples. */
  seenMs: number;
  cpuMs: number | null;
  runDelayMs: number | null;
  /** Of `seenMs`, how long it waited for a disk. */
  diskMs: number | null;
  elu: number | null;
}

/**
 * Counts from the latest sign that the event loop turned: the missed heartbeat, a heartbeat the observer was too late to see, a functional
 * probe that passed, or work that was taken up. Log records are no sign of life: an endless loop writes them too.
 * Null: no heartbeat is missed.
 */
export function sinceLife(
  window: readonly ThreadSample[],
  last: ThreadSample,
  lastOkAgoMs: number | null,
): Stuck | null {
  const { missed } = last;
  if (!missed) return null;
  const missedFrom = last.atMono - missed.forMs;
  const alive = Math.max(
    // Ages are rounded to 0.1 ms.
    last.heartbeatAgeMs + 1 < missed.forMs ? last.atMono - last.heartbeatAgeMs : missedFrom,
    lastOkAgoMs === null ? missedFrom : last.atMono - lastOkAgoMs,
    workTakenUp(window, last) ?? missedFrom,
  );
  if (alive <= missedFrom) {
    const seenMs = missed.forMs - gapsSince(window, missedFrom);
    return { ...missed, diskMs: missed.diskMs ?? null, seenMs, elu: last.elu };
  }

  const from = window.find((sample) => sample.atMono >= alive && sample.missed !== null);
  if (!from?.missed || from === last)
    return { forMs: 0, seenMs: 0, cpuMs: null, runDelayMs: null, diskMs: null, elu: null };
  const before = from.missed;
  const forMs = last.atMono - from.atMono;
  return {
    forMs,
    seenMs: forMs - gapsSince(window, from.atMono),
    cpuMs: less(missed.cpuMs, before.cpuMs),
    runDelayMs: less(missed.runDelayMs, before.runDelayMs),
    diskMs: less(missed.diskMs ?? null, before.diskMs ?? null),
    // Both utilisations are taken since the missed heartbeat.
    elu:
      last.elu === null || from.elu === null || forMs <= 0
        ? null
        : Math.min(1, Math.max(0, (last.elu * missed.forMs - from.elu * before.forMs) / forMs)),
  };
}

/** When the first sample was taken that shows as much work as the last one; null when that was before the window. */
function workTakenUp(window: readonly ThreadSample[], last: ThreadSample): number | null {
  for (let index = window.length - 2; index >= 0; index--)
    if (window[index]!.work !== last.work) return window[index + 1]!.atMono;
  return null;
}

function less(value: number | null, before: number | null): number | null {
  return value === null || before === null ? null : Math.max(0, value - before);
}
