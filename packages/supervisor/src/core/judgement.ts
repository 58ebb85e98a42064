import type { CellSample, ThreadSample, WireError } from '@grace/contracts';
import { classify, type Judgement } from '../judge/classify.ts';
import type { Draft } from './draft.ts';
import { closeIncident, hasOpen, openIncident } from './incidents.ts';
import { goDown } from './restart.ts';
import { askProbe } from './start.ts';
import { type KernelRecord, WINDOW } from './state.ts';

/** A heartbeat gap is an incident from this many times `lateAfterMs` on; before, it is only a condition. */
const GAP_FACTOR = 2;
/** A probe asked on suspicion that has no answer after this long speaks for a hang, ms. */
const SUSPICION_MS = 150;
/** How long what closes an incident must hold, ms. */
const CALM_MS = 1000;
/** After a need came back, a failed probe is not held against the kernel for this long, ms. */
const NEED_GRACE_MS = 2000;
/** Functional probes that must fail in a row. */
const FAILURES_TO_RESTART = 2;
/** The same while the machine is full: then everybody is late. */
const FAILURES_WHEN_FULL = 4;
/** Errors logged between two samples that count as a storm. */
const ERROR_STORM = 20;

export function takeSample(draft: Draft, sample: CellSample): void {
  const cell = draft.cell(sample.cell);
  cell.sample = {
    ...sample,
    cpuPercent: sample.cpuPercent ?? cell.sample?.cpuPercent ?? null,
    rssBytes: sample.rssBytes ?? cell.sample?.rssBytes ?? null,
  };
  for (const thread of sample.threads) {
    const kernel = draft.state.kernels[thread.kernel];
    if (!kernel || kernel.incarnation !== thread.incarnation) continue;
    const before = kernel.window.at(-1);
    kernel.window = [...kernel.window.slice(1 - WINDOW), thread];
    if (kernel.state !== 'running') continue;
    noticeErrors(draft, thread.kernel, before, thread);
    if (draft.state.safeguards.heartbeatDetector) judge(draft, thread.kernel, kernel, thread, sample.agentLagMs);
  }
}

function judge(draft: Draft, id: string, kernel: KernelRecord, thread: ThreadSample, agentLagMs: number): void {
  const { lateAfterMs, hungAfterMs } = kernel.manifest;
  const judgement = classify(thread, {
    lateAfterMs,
    hungAfterMs,
    agentLagMs,
    supervisorLagMs: draft.state.machine.lagMs,
  });
  noteCondition(draft, id, kernel, judgement);
  if (judgement.condition === 'healthy') {
    kernel.probe.suspicion = false;
    calm(draft, id);
    return;
  }
  if (judgement.condition === 'starved') return;
  if (!kernel.probe.suspicion) {
    kernel.probe.suspicion = true;
    askProbe(draft, id, kernel.manifest.probe.deadlineMs);
  }
  if (judgement.condition === 'late') {
    if (thread.heartbeatAgeMs > lateAfterMs * GAP_FACTOR)
      openIncident(draft, 'heartbeat_gap', id, 'heartbeat', judgement.evidence);
    return;
  }
  // Spinning or blocked: heartbeat and metrics agree. The functional probe has the last word.
  openIncident(draft, 'kernel_hung', id, 'heartbeat', judgement.evidence);
  openIncident(draft, 'kernel_hung', id, 'metric', judgement.evidence);
  if (kernel.probe.inFlight && draft.now - kernel.probe.askedMono >= SUSPICION_MS) {
    const unansweredMs = Math.round(draft.now - kernel.probe.askedMono);
    openIncident(draft, 'kernel_hung', id, 'probe', { unansweredMs });
    goDown(
      draft,
      id,
      'hung',
      `${judgement.condition}: no heartbeat for ${Math.round(thread.heartbeatAgeMs)} ms, functional probe unanswered for ${unansweredMs} ms`,
    );
  }
}

function noteCondition(draft: Draft, id: string, kernel: KernelRecord, judgement: Judgement): void {
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

/** The answer to a probe of a running kernel. */
export function laterProbe(draft: Draft, id: string, ok: boolean, ms: number, error: WireError | null): void {
  const kernel = draft.kernel(id);
  const failedBefore = kernel.probe.failures > 0;
  kernel.probe.last = { ok, ms, atMono: draft.now };
  kernel.probe.dueMono = draft.now + (ok ? kernel.manifest.probe.intervalMs : 100);
  if (ok) {
    kernel.probe.failures = 0;
    if (failedBefore || kernel.probe.suspicion)
      report(draft, id, ok, ms, null, failedBefore ? 'it failed before' : 'the heartbeat was late');
    return;
  }
  report(draft, id, ok, ms, error, 'failed');
  if (kernel.condition === 'starved' || needsTrouble(draft, kernel)) return;
  kernel.probe.failures++;
  const incident = { failures: kernel.probe.failures, error: error?.message ?? null, code: error?.code ?? null };
  if (kernel.probe.failures < (draft.state.machine.busy >= FULL ? FAILURES_WHEN_FULL : FAILURES_TO_RESTART)) return;
  openIncident(draft, 'kernel_hung', id, 'probe', incident);
  goDown(
    draft,
    id,
    'probe',
    `its functional probe failed ${kernel.probe.failures} times: ${error?.message ?? 'no answer'}`,
  );
}

function report(draft: Draft, id: string, ok: boolean, ms: number, error: WireError | null, why: string): void {
  const kernel = draft.kernel(id);
  draft.journal(
    {
      name: 'kernel:probe',
      kernel: id,
      cell: kernel.cell,
      incarnation: kernel.incarnation,
      data: { ok, ms: Math.round(ms * 10) / 10, why, ...(error ? { error } : {}) },
    },
    kernel.correlation,
  );
}

/** A kernel whose needs are down, or just came back, cannot be blamed for a failed probe. */
function needsTrouble(draft: Draft, kernel: KernelRecord): boolean {
  return kernel.manifest.needs.some((need) => {
    const needed = draft.state.kernels[need];
    return needed === undefined || needed.state !== 'running' || draft.now - needed.since < NEED_GRACE_MS;
  });
}

function noticeErrors(draft: Draft, id: string, before: ThreadSample | undefined, now: ThreadSample): void {
  const errors = now.errors - (before?.errors ?? 0);
  if (before && errors >= ERROR_STORM)
    openIncident(draft, 'kernel_hung', id, 'log_activity', { errors, forMs: Math.round(now.atMono - before.atMono) });
}

/** A healthy sample: after a second of them, what was noticed is over. */
function calm(draft: Draft, id: string): void {
  for (const incident of Object.values(draft.state.incidents)) {
    if (incident.subject !== id || (incident.kind !== 'heartbeat_gap' && incident.kind !== 'kernel_hung')) continue;
    incident.calmSince ??= draft.now;
    if (draft.now - incident.calmSince >= CALM_MS)
      closeIncident(draft, incident.id, 'its heartbeat is back; nothing was restarted');
  }
}

/** Share of all cores that is busy, above which the machine counts as full, and below which it does not any more. */
const FULL = 0.95;
const FREE = 0.85;
const FULL_FOR_MS = 500;

/** The machine as a whole: a full one is an incident of its own, and nobody's fault inside. */
export function takeMachine(draft: Draft, busy: number, lagMs: number): void {
  const { machine } = draft.state;
  const wasFull = machine.busy >= FULL;
  machine.lagMs = lagMs;
  if (busy >= FULL !== wasFull) machine.since = draft.now;
  machine.busy = busy;
  const open = Object.values(draft.state.incidents).find((incident) => incident.kind === 'cpu_saturation');
  if (busy >= FULL && draft.now - machine.since >= FULL_FOR_MS && !hasOpen(draft, 'machine', 'cpu_saturation')) {
    openIncident(draft, 'cpu_saturation', 'machine', 'metric', {
      busy: Math.round(busy * 100) / 100,
      forMs: Math.round(draft.now - machine.since),
    });
  } else if (open && busy < FREE) {
    open.calmSince ??= draft.now;
    if (draft.now - open.calmSince >= CALM_MS) closeIncident(draft, open.id, 'cores are free again');
  } else if (open) open.calmSince = null;
}
