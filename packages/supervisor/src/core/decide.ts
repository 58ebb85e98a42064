import { adoptCell } from './adopt.ts';
import { takeBacklog } from './backlog.ts';
import { takeBalanced, takeDenied, takeMuted, takeUnbalanced, takeUnmuted } from './bus-guard.ts';
import { cellExit } from './cells.ts';
import { Draft } from './draft.ts';
import type { Command, CoreEvent } from './events.ts';
import { isolateByHand, pauseByHand, quarantineByHand, restartByHand, resumeByHand, throttleByOrder } from './hand.ts';
import { hasOpen, openIncident } from './incidents.ts';
import { noteCondition, takeSample } from './judgement.ts';
import { threadStuck } from './ladder.ts';
import { laterProbe } from './probe-answer.ts';
import { takeRecordDamaged, takeRecordRepaired } from './record.ts';
import { goDown, settleDown, startFailed } from './restart.ts';
import { takeMachine } from './saturation.ts';
import { takeInspection } from './silence.ts';
import { bringUp, cellOnline, firstProbe, kernelLoaded, kernelStarted } from './start.ts';
import type { CoreState, KernelRecord } from './state.ts';
import { beginStop } from './stop.ts';
import { takeLimited } from './throttle.ts';
import { whatIsDue } from './tick.ts';
import { tuneByOrder } from './tune.ts';

/**
 * The decision core: `(state, event, now) -> (state, commands)`. No clock, no timer, no socket, no randomness of its own, so a schedule of
 * events replays exactly. Events of an incarnation that is no more are ignored.
 */
export function decide(state: CoreState, event: CoreEvent, now: number): { state: CoreState; commands: Command[] } {
  // Samples are by far the most frequent: they speak of one cell, and what becomes due by them is found at the next tick.
  const sample = event.t === 'sample' ? event.sample.cell : null;
  const draft = new Draft(state, now, sample);
  apply(draft, event);
  if (sample === null) whatIsDue(draft);
  return { state: draft.state, commands: draft.commands };
}

function apply(draft: Draft, event: CoreEvent): void {
  // Everybody goes down now; what somebody wanted for one kernel has no more meaning.
  if (isOrder(event) && draft.state.phase !== 'booting' && draft.state.phase !== 'running') return;
  switch (event.t) {
    case 'boot':
      for (const id of Object.keys(draft.state.kernels)) bringUp(draft, id, 'boot');
      return;
    case 'tick':
      return;
    case 'cell-online':
      if (draft.cell(event.cell).incarnation === event.incarnation) cellOnline(draft, event.cell, event.pid);
      return;
    case 'cell-adopted':
      // A word that was still on its way when the end of its sender was known comes from nobody.
      if (draft.cell(event.cell).incarnation === event.incarnation && draft.cell(event.cell).state !== 'down')
        for (const happened of adoptCell(draft, event)) apply(draft, happened);
      return;
    case 'cell-exit':
      if (draft.cell(event.cell).incarnation === event.incarnation)
        cellExit(draft, event.cell, { pid: event.pid, code: event.code, signal: event.signal });
      return;
    case 'loaded':
      present(draft, event, (kernel) => {
        if (kernel.state === 'waiting') kernelLoaded(draft, event.kernel, event.tid);
      });
      return;
    case 'started':
      present(draft, event, (kernel) => {
        if (kernel.state === 'starting') kernelStarted(draft, event.kernel, event.verbs);
      });
      return;
    case 'start-failed':
      present(draft, event, (kernel) => {
        if (kernel.state === 'waiting' || kernel.state === 'starting') startFailed(draft, event.kernel, event.error);
      });
      return;
    case 'probed':
      present(draft, event, (kernel) => {
        kernel.probe.inFlight = false;
        if (event.error?.code !== 'DEADLINE') kernel.probe.unansweredMono = null;
        if (kernel.state === 'probing') firstProbe(draft, event.kernel, event.ok, event.detail, event.error);
        else if (kernel.state === 'running') laterProbe(draft, event.kernel, event.ok, event.ms, event.error);
      });
      return;
    case 'exited':
      present(draft, event, (kernel) => threadExit(draft, event, kernel));
      return;
    case 'drained':
      present(draft, event, (kernel) => {
        if (kernel.state === 'draining') goDown(draft, event.kernel, kernel.cause ?? 'manual', 'drained');
      });
      return;
    case 'stuck':
      present(draft, event, (kernel) => {
        if (kernel.state === 'stopping') threadStuck(draft, event.kernel, 'terminate did not return');
      });
      return;
    case 'limited':
      present(draft, event, () => takeLimited(draft, event.kernel, event.cpu, event.method));
      return;
    case 'cell-inspected':
      if (draft.cell(event.cell).incarnation === event.incarnation) takeInspection(draft, event.cell, event);
      return;
    case 'sample':
      takeSample(draft, event.sample);
      return;
    case 'machine':
      takeMachine(draft, event.busy, event.lagMs);
      return;
    case 'denied':
      takeDenied(draft, event.principal, event.count, event.windowMs, event.threshold);
      return;
    case 'muted':
      takeMuted(draft, event);
      return;
    case 'unmuted':
      takeUnmuted(draft, event.principal);
      return;
    case 'backlog':
      takeBacklog(draft, event);
      return;
    case 'record-damaged':
      takeRecordDamaged(draft, event.damaged);
      return;
    case 'record-repaired':
      takeRecordRepaired(draft, event.repaired);
      return;
    case 'unbalanced':
      takeUnbalanced(draft, event.evidence);
      return;
    case 'balanced':
      if (event.unbalanced === 0) takeBalanced(draft);
      return;
    case 'correlate':
      for (const id of event.kernels) {
        const kernel = draft.state.kernels[id];
        if (kernel && (event.correlation !== undefined || !hasOpen(draft, id))) kernel.correlation = event.correlation;
      }
      return;
    case 'restart':
      restartByHand(draft, event.kernel, event.by, event.reason, event.correlation);
      return;
    case 'isolate':
      isolateByHand(draft, event.kernel, event.by);
      return;
    case 'pause':
      pauseByHand(draft, event.kernel, event.by);
      return;
    case 'resume':
      resumeByHand(draft, event.kernel, event.by);
      return;
    case 'quarantine':
      quarantineByHand(draft, event.kernel, event.by, event.reason);
      return;
    case 'throttle':
      throttleByOrder(draft, event);
      return;
    case 'tune':
      tuneByOrder(draft, event);
      return;
    case 'stop':
      beginStop(draft, event.reason, event.timeoutMs);
      return;
    default:
      event satisfies never;
  }
}

const ORDERS: ReadonlySet<CoreEvent['t']> = new Set<CoreEvent['t']>([
  ...(['restart', 'isolate', 'pause', 'resume', 'quarantine', 'throttle', 'tune'] as const),
]);

function isOrder({ t }: CoreEvent): boolean {
  return ORDERS.has(t);
}

/** Runs `act` when the event speaks of the present incarnation. */
function present(
  draft: Draft,
  event: { kernel: string; incarnation: number },
  act: (kernel: KernelRecord) => void,
): void {
  const kernel = draft.state.kernels[event.kernel];
  if (kernel && kernel.incarnation === event.incarnation) act(kernel);
}

function threadExit(draft: Draft, event: Extract<CoreEvent, { t: 'exited' }>, kernel: KernelRecord): void {
  const expected = kernel.state === 'stopping' || kernel.state === 'draining';
  if (!expected && kernel.thread === 'none') return;
  draft.journal(
    {
      name: 'kernel:exit',
      kernel: event.kernel,
      cell: kernel.cell,
      incarnation: event.incarnation,
      data: { code: event.code, expected, ...(event.error ? { error: event.error } : {}) },
    },
    kernel.correlation,
  );
  const because = event.error ?? (expected && kernel.after === 'restart' ? kernel.error : null);
  const ended = `its thread ended with code ${event.code}`;
  const reason = because ? `${because.code}: ${because.message}` : expected ? (kernel.reason ?? ended) : ended;
  if (!expected) {
    kernel.error = event.error ?? { code: 'KERNEL_GONE', message: reason };
    kernel.cause = kernel.state === 'running' ? (event.code === 0 && !event.error ? 'ended' : 'crash') : 'start';
    const kind = kernel.state === 'running' ? 'kernel_crash' : 'kernel_start_failed';
    const evidence = { code: event.code, error: event.error?.message ?? null };
    const incident = openIncident(draft, kind, event.kernel, 'exit', evidence);
    noteCondition(draft, event.kernel, kernel, { condition: 'dead', confidence: 1, evidence });
    draft.evidence('error', event.kernel, incident.id, kernel.error);
  }
  settleDown(draft, event.kernel, reason);
}
