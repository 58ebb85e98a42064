import type { CellSample, ThreadSample } from '@grace/contracts';
import { classify, type Judgement } from '../judge/classify.ts';
import { windowWith } from '../judge/window.ts';
import type { Draft } from './draft.ts';
import { closeIncident, hasOpen, openIncident } from './incidents.ts';
import { takeCellMemory, takeMemory } from './memory.ts';
import { goDown } from './restart.ts';
import { heard } from './silence.ts';
import { askProbe } from './start.ts';
import type { KernelRecord } from './state.ts';
import { reviewThrottle, takeOverload } from './throttle.ts';

/** A heartbeat gap is an incident from this many times `lateAfterMs` on; before, it is only a condition. */
const GAP_FACTOR = 2;
/** A probe asked on suspicion that has no answer after this long speaks for a hang, ms. */
const SUSPICION_MS = 150;
/** Time for its stack to be taken before it is ended, ms: measured below 5 ms, and nothing of it is left afterwards. */
const EVIDENCE_MS = 50;
/** How long what closes an incident must hold, ms. */
const CALM_MS = 1000;
/** Errors logged between two samples that count as a storm. */
const ERROR_STORM = 20;

export function takeSample(draft: Draft, sample: CellSample): void {
  const cell = draft.cell(sample.cell);
  cell.sample = {
    ...sample,
    cpuPercent: sample.cpuPercent ?? cell.sample?.cpuPercent ?? null,
    rssBytes: sample.rssBytes ?? cell.sample?.rssBytes ?? null,
  };
  heard(draft, sample.cell);
  for (const thread of sample.threads) {
    const kernel = draft.state.kernels[thread.kernel];
    if (!kernel || kernel.incarnation !== thread.incarnation) continue;
    const before = kernel.window.at(-1);
    kernel.window = windowWith(kernel.window, thread);
    if (kernel.state !== 'running') continue;
    takeMemory(draft, thread.kernel, kernel);
    if (!draft.state.safeguards.heartbeatDetector) continue;
    noticeErrors(draft, thread.kernel, before, thread);
    judge(draft, thread.kernel, kernel, thread, sample.agentLagMs);
  }
  takeCellMemory(draft, sample);
}

function judge(draft: Draft, id: string, kernel: KernelRecord, thread: ThreadSample, agentLagMs: number): void {
  if (kernel.state !== 'running') return;
  const { heartbeatMs, lateAfterMs, hungAfterMs, limits } = kernel.manifest;
  const { last, inFlight, askedMono, failures } = kernel.probe;
  const judgement = classify(kernel.window, {
    heartbeatMs,
    lateAfterMs,
    hungAfterMs,
    limits,
    agentLagMs,
    supervisorLagMs: draft.state.machine.lagMs,
    machineBusy: draft.state.machine.busy,
    alive: true,
    overloadAfterMs: draft.state.settings.overloadAfterMs,
    probe: {
      inFlightMs: inFlight ? draft.now - askedMono : null,
      failures,
      lastOkAgoMs: last?.ok && last.atMono >= kernel.since ? draft.now - last.atMono : null,
    },
  });
  noteCondition(draft, id, kernel, judgement);
  if (judgement.held) hung(draft, id, kernel, thread, judgement);
  else react(draft, id, kernel, thread, judgement);
  reviewThrottle(draft, id, kernel);
}

/** What follows from a condition in which the event loop still turns: at most a question, never a restart. */
function react(draft: Draft, id: string, kernel: KernelRecord, thread: ThreadSample, judgement: Judgement): void {
  switch (judgement.condition) {
    case 'healthy':
      kernel.probe.suspicion = false;
      calm(draft, id);
      return;
    case 'spinning':
      takeOverload(draft, id, kernel, judgement);
      return;
    case 'flooding':
      for (const { signal, says } of judgement.signals)
        if (says === 'flooding') openIncident(draft, 'flooding', id, signal, judgement.evidence);
      return;
    case 'silent':
      openIncident(draft, 'kernel_hung', id, 'probe', judgement.evidence);
      return;
    case 'late':
    case 'blocked':
      suspect(draft, id, kernel);
      if (thread.heartbeatAgeMs > kernel.manifest.lateAfterMs * GAP_FACTOR)
        openIncident(draft, 'heartbeat_gap', id, 'heartbeat', judgement.evidence);
      return;
    case 'starved':
      kernel.starvedMono = draft.now;
      return;
    case 'leaking':
    case 'dead':
      return;
    default:
      judgement.condition satisfies never;
  }
}

/** Heartbeat and metrics agree that one callback holds the event loop. The functional probe has the last word. */
function hung(draft: Draft, id: string, kernel: KernelRecord, thread: ThreadSample, judgement: Judgement): void {
  suspect(draft, id, kernel);
  const known = hasOpen(draft, id, 'kernel_hung');
  openIncident(draft, 'kernel_hung', id, 'heartbeat', judgement.evidence);
  const incident = openIncident(draft, 'kernel_hung', id, 'metric', judgement.evidence);
  // Before anything is done to it: afterwards there is nothing to see.
  if (!known) draft.evidence('stack', id, incident.id);
  if (!kernel.probe.inFlight || draft.now - kernel.probe.askedMono < SUSPICION_MS) return;
  if (draft.now - incident.openedMono < EVIDENCE_MS) return;
  // On a full machine, or below its limit, time passes without the thread being let run: what it burnt without an answer counts.
  const unanswered = kernel.probe.unansweredMono ?? kernel.probe.askedMono;
  const asked = kernel.window.findLast(({ atMono }) => atMono <= unanswered) ?? kernel.window[0];
  const burntMs = asked?.cpuMs != null && thread.cpuMs !== null ? thread.cpuMs - asked.cpuMs : Infinity;
  if (judgement.condition === 'spinning' && burntMs < SUSPICION_MS) return;
  const unansweredMs = Math.round(draft.now - kernel.probe.askedMono);
  openIncident(draft, 'kernel_hung', id, 'probe', { unansweredMs });
  goDown(
    draft,
    id,
    'hung',
    `${judgement.condition}: no heartbeat for ${Math.round(thread.heartbeatAgeMs)} ms, functional probe unanswered for ${unansweredMs} ms`,
  );
}

/** Asks whether it does its job, once while the suspicion lasts. */
function suspect(draft: Draft, id: string, kernel: KernelRecord): void {
  if (kernel.probe.suspicion) return;
  kernel.probe.suspicion = true;
  askProbe(draft, id, kernel.manifest.probe.deadlineMs);
}

export function noteCondition(
  draft: Draft,
  id: string,
  kernel: KernelRecord,
  judgement: Pick<Judgement, 'condition' | 'confidence' | 'evidence'>,
): void {
  if (kernel.condition === judgement.condition) return;
  const from = kernel.condition;
  kernel.condition = judgement.condition;
  draft.journal(
    {
      name: 'kernel:condition',
      kernel: id,
      cell: kernel.cell,
      incarnation: kernel.incarnation,
      data: { from, to: judgement.condition, confidence: judgement.confidence, evidence: judgement.evidence },
    },
    kernel.correlation,
  );
}

function noticeErrors(draft: Draft, id: string, before: ThreadSample | undefined, now: ThreadSample): void {
  const errors = now.errors - (before?.errors ?? 0);
  if (before && errors >= ERROR_STORM)
    openIncident(draft, 'flooding', id, 'log_activity', { errors, forMs: Math.round(now.atMono - before.atMono) });
}

/** A healthy sample: after a second of them, what was noticed is over. */
function calm(draft: Draft, id: string): void {
  for (const incident of Object.values(draft.state.incidents)) {
    const { kind, subject } = incident;
    if (subject !== id || (kind !== 'heartbeat_gap' && kind !== 'kernel_hung' && kind !== 'flooding')) continue;
    incident.calmSince ??= draft.now;
    if (draft.now - incident.calmSince >= CALM_MS)
      closeIncident(
        draft,
        incident.id,
        kind === 'flooding' ? 'it has stopped' : 'its heartbeat is back; nothing was restarted',
      );
  }
}
