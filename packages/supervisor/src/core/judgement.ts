import type { CellSample, ThreadSample } from '@grace/contracts';
import { classify, type Judgement } from '../judge/classify.ts';
import { windowWith } from '../judge/window.ts';
import type { Draft } from './draft.ts';
import { hung, suspect } from './hang.ts';
import { closeIncident, openIncident } from './incidents.ts';
import { takeCellMemory, takeMemory } from './memory.ts';
import { heard } from './silence.ts';
import type { KernelRecord } from './state.ts';
import { reviewThrottle, takeOverload } from './throttle.ts';

/** A heartbeat gap is an incident from this many times `lateAfterMs` on; before, it is only a condition. */
const GAP_FACTOR = 2;
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
