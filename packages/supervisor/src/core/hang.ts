import type { ThreadSample } from '@grace/contracts';
import type { Judgement } from '../judge/classify.ts';
import type { Draft } from './draft.ts';
import { hasOpen, openIncident } from './incidents.ts';
import { goDown } from './restart.ts';
import { askProbe } from './start.ts';
import type { KernelRecord } from './state.ts';

/** A probe asked on suspicion that has no answer after this long speaks for a hang, ms. */
const SUSPICION_MS = 150;
/** A thread that uses less than this part of what it may is idle. */
const IDLE_SHARE = 0.2;

/** Heartbeat and metrics agree that one callback holds the event loop. The functional probe has the last word. */
export function hung(draft: Draft, id: string, kernel: KernelRecord, thread: ThreadSample, judgement: Judgement): void {
  suspect(draft, id, kernel);
  const known = hasOpen(draft, id, 'kernel_hung');
  openIncident(draft, 'kernel_hung', id, 'heartbeat', judgement.evidence);
  const incident = openIncident(draft, 'kernel_hung', id, 'metric', judgement.evidence);
  // Before anything is done to it: afterwards there is nothing to see. Its cell lets a stack that is being taken be finished.
  if (!known) draft.evidence('stack', id, incident.id);
  if (!kernel.probe.inFlight || draft.now - kernel.probe.askedMono < SUSPICION_MS) return;
  // On a full machine, or below its limit, time passes without the thread being let run: what it burnt without an answer counts.
  const unanswered = kernel.probe.unansweredMono ?? kernel.probe.askedMono;
  const asked = kernel.window.findLast(({ atMono }) => atMono <= unanswered) ?? kernel.window[0];
  const burntMs = asked?.cpuMs != null && thread.cpuMs !== null ? thread.cpuMs - asked.cpuMs : Infinity;
  if (judgement.condition === 'spinning' && burntMs < SUSPICION_MS && !idled(kernel, asked, thread)) return;
  const unansweredMs = Math.round(draft.now - kernel.probe.askedMono);
  openIncident(draft, 'kernel_hung', id, 'probe', { unansweredMs });
  goDown(
    draft,
    id,
    'hung',
    `${judgement.condition}: no heartbeat for ${Math.round(thread.heartbeatAgeMs)} ms, functional probe unanswered for ${unansweredMs} ms`,
  );
}

/** Whether a thread neither ran nor waited to run for as long as counts as hung: what it burnt before, it does not burn any more. */
function idled(kernel: KernelRecord, from: ThreadSample | undefined, to: ThreadSample): boolean {
  if (from?.cpuMs == null || from.runDelayMs === null || to.cpuMs === null || to.runDelayMs === null) return false;
  const forMs = to.atMono - from.atMono;
  const usedMs = to.cpuMs - from.cpuMs + to.runDelayMs - from.runDelayMs;
  return forMs >= kernel.manifest.hungAfterMs && usedMs < forMs * IDLE_SHARE * (to.cap ?? 1);
}

/** Asks whether it does its job, once while the suspicion lasts. */
export function suspect(draft: Draft, id: string, kernel: KernelRecord): void {
  if (kernel.probe.suspicion) return;
  kernel.probe.suspicion = true;
  askProbe(draft, id, kernel.manifest.probe.deadlineMs);
}
