import type { AnyRecord, SystemPlan, WireError } from '@grace/contracts';
import { type DownCause, FREE_OF_CHARGE, familyOf } from './causes.ts';
import { newCell } from './draft.ts';
import { initialState } from './initial.ts';
import { type Fold, restoreIncident } from './restore-incidents.ts';
import { longerAlone } from './solitary.ts';
import type { CellRecord, CoreState, KernelRecord } from './state.ts';
import { tuned } from './tune.ts';

/** How long a stop that a former supervisor began may still take, ms. */
const STOP_MS = 8000;

/**
 * The state as a former supervisor left it, from what it wrote down since its `system:boot`. Pure. What only lives in a process (windows of
 * samples, questions under way) begins anew: nothing is asked before `cell-adopted` has told which threads there really are.
 */
export function restore(
  plan: Pick<SystemPlan, 'kernels' | 'safeguards' | 'settings'>,
  records: Iterable<AnyRecord>,
  now: number,
  seed: number,
  incidentPrefix: string,
): CoreState {
  const fold: Fold = { state: initialState(plan, now, seed, incidentPrefix), restarts: new Map(), exits: new Map() };
  for (const record of records) take(fold, record);
  return awaitCells(fold.state, plan, now);
}

function take(fold: Fold, record: AnyRecord): void {
  const { state } = fold;
  const kernel = record.kernel === undefined ? undefined : state.kernels[record.kernel];
  if (restoreIncident(fold, record)) return;
  switch (record.name) {
    case 'system:boot':
      state.startedMono = record.monoMs;
      // The boot gives every kernel its first incarnation at once.
      for (const each of Object.values(state.kernels))
        Object.assign(each, { incarnation: 1, orderedMono: record.monoMs });
      return;
    case 'system:ready':
      state.phase = 'running';
      state.readyMs = record.data.ms;
      return;
    case 'system:stop':
      state.phase = 'stopping';
      for (const each of Object.values(state.kernels)) Object.assign(each, { wanted: false, after: 'stay down' });
      return;
    case 'cell:start':
    case 'cell:online':
    case 'cell:exit':
      if (record.cell !== undefined) takeCell(fold, record, record.cell);
      return;
    case 'bus:muted':
      takeMute(state, record);
      return;
    case 'bus:unmuted':
      delete state.mutes[record.data.principal];
      return;
    case 'fault:inject': {
      const { target } = record.data;
      for (const [id, each] of Object.entries(state.kernels))
        if (id === target || each.cell === target) each.correlation = record.correlation;
      return;
    }
    default:
      if (kernel) takeKernel(fold, record, kernel);
  }
}

/** As `takeMuted` does. The incident it opens, if it opens one, is written after it: `awaitCells` finds it. */
function takeMute({ mutes, incidents }: CoreState, { data, monoMs }: Extract<AnyRecord, { name: 'bus:muted' }>): void {
  const open = Object.values(incidents).some(
    ({ kind, subject }) => kind === 'acl_violation' && subject === data.principal,
  );
  if (data.by !== undefined && !open) return;
  mutes[data.principal] = {
    denied: data.denied,
    incident: data.incident ?? '',
    untilMono: monoMs + data.periodMs,
  };
}

function takeKernel(fold: Fold, record: AnyRecord, kernel: KernelRecord): void {
  switch (record.name) {
    case 'kernel:state':
      takeState(fold, record, kernel);
      return;
    case 'kernel:restart':
      fold.restarts.set(record.kernel!, record);
      return;
    case 'kernel:ready':
      kernel.readyMs = record.data.readyMs;
      kernel.error = null;
      return;
    case 'kernel:exit':
      if (!record.data.expected) kernel.error = record.data.error ?? null;
      return;
    case 'kernel:condition':
      kernel.condition = record.data.to;
      return;
    case 'kernel:quarantine':
      kernel.wanted = false;
      kernel.after = null;
      return;
    case 'kernel:move':
      kernel.moveTo = record.data.to;
      if (record.data.why === 'solitary') kernel.solitary = longerAlone(kernel, fold.state.settings.solitaryMs);
      if (record.data.why === 'isolate') kernel.solitary = null;
      return;
    case 'kernel:stuck':
      cellOf(fold.state, kernel.cell).culprit = record.kernel!;
      return;
    case 'kernel:limit': {
      const { cpu, method, why, by } = record.data;
      const untilMono = kernel.throttle?.untilMono ?? Infinity;
      Object.assign(kernel, { cap: method === 'none' ? null : cpu, limitMethod: method });
      kernel.limitSets++;
      kernel.throttle = why === 'manifest' || cpu === null ? null : { cpu, why, by, untilMono, calmSince: null };
      return;
    }
    case 'kernel:tune':
      kernel.manifest = tuned(kernel.manifest, record.data.knob, record.data.to);
      return;
    case 'kernel:hand':
      takeHand(record, kernel);
      return;
    default:
  }
}

function takeState(fold: Fold, record: Extract<AnyRecord, { name: 'kernel:state' }>, kernel: KernelRecord): void {
  const { to, cause, after, error } = record.data;
  const from = kernel.state;
  const longUp = from === 'running' && record.monoMs - kernel.since > kernel.manifest.restart.resetAfterMs;
  if (longUp) kernel.attempt = 0;
  kernel.state = to;
  kernel.since = record.monoMs;
  kernel.incarnation = record.incarnation ?? kernel.incarnation;
  kernel.correlation = record.correlation;
  if (cause !== undefined) kernel.cause = cause as DownCause;
  if (after !== undefined) kernel.after = after;
  if (error !== undefined) kernel.error = error as WireError;
  if (to === 'backoff') countRestart(fold, record, kernel);
  if (to !== 'waiting') return;
  kernel.cell = record.cell ?? kernel.cell;
  Object.assign(kernel, { moveTo: null, after: null, readyMs: null, cap: null, condition: 'healthy' });
  kernel.orderedMono = record.monoMs;
  if (kernel.throttle?.why === 'overload') kernel.throttle = null;
}

function countRestart(fold: Fold, record: AnyRecord, kernel: KernelRecord): void {
  const restart = fold.restarts.get(record.kernel!);
  fold.restarts.delete(record.kernel!);
  if (!restart) return;
  const { attempt, delayMs } = restart.data;
  const cause = restart.data.cause as DownCause;
  kernel.restarts++;
  kernel.attempt = attempt;
  kernel.cause = cause;
  kernel.dueMono = restart.monoMs + delayMs;
  if (FREE_OF_CHARGE.has(cause)) return;
  const family = familyOf(cause);
  const since = restart.monoMs - kernel.manifest.restart.windowMs;
  const used = (kernel.budgetUsed[family] ?? []).filter((at) => at > since);
  kernel.budgetUsed = { ...kernel.budgetUsed, [family]: [...used, restart.monoMs] };
}

function takeHand(record: Extract<AnyRecord, { name: 'kernel:hand' }>, kernel: KernelRecord): void {
  const { order, by, cpu, forMs } = record.data;
  if (order === 'pause') Object.assign(kernel, { wanted: false, after: 'stay down' });
  else if (order === 'quarantine') kernel.after = 'quarantine';
  else if (order !== 'throttle') kernel.wanted = true;
  if (order === 'restart') kernel.cause = by === 'self_healing' ? 'playbook' : 'manual';
  const ends = kernel.state === 'draining' || kernel.state === 'stopping';
  if ((order === 'restart' && ends) || order === 'resume' || order === 'isolate') kernel.after = 'restart';
  const isDown = ['failed', 'quarantined', 'stopped', 'backoff'].includes(kernel.state);
  if (order === 'restart' && isDown) kernel.restarts++;
  if (order === 'resume' || (order === 'restart' && by !== 'self_healing'))
    Object.assign(kernel, { attempt: 0, budgetUsed: {} });
  if (order === 'throttle') {
    // What it is held to is told by the `kernel:limit` that follows.
    const untilMono = typeof forMs === 'number' ? record.monoMs + forMs : Infinity;
    kernel.throttle =
      cpu === null ? null : { cpu: cpu ?? kernel.cap ?? 1, why: 'hand', by, untilMono, calmSince: null };
  }
}

function takeCell(
  fold: Fold,
  record: Extract<AnyRecord, { name: 'cell:start' | 'cell:online' | 'cell:exit' }>,
  id: string,
): void {
  const cell = cellOf(fold.state, id);
  cell.incarnation = record.incarnation ?? cell.incarnation;
  if (record.name !== 'cell:exit') {
    if (record.name === 'cell:start')
      Object.assign(cell, { orderedMono: record.monoMs, endMono: Infinity, culprit: null });
    cell.state = record.name === 'cell:start' ? 'starting' : 'online';
    cell.pid = record.data.pid;
    return;
  }
  fold.exits.set(id, record.data.kernels);
  const crash = Object.values(fold.state.incidents).find((open) => open.kind === 'cell_crash' && open.subject === id);
  if (crash && !record.data.expected) crash.waitsFor = record.data.kernels;
  cell.failures = record.monoMs - cell.orderedMono > CELL_STABLE_MS ? 1 : cell.failures + 1;
  Object.assign(cell, { state: 'down', pid: null, dueMono: record.monoMs });
}

/** As core/cells.ts counts. */
const CELL_STABLE_MS = 30_000;

function cellOf(state: CoreState, id: string): CellRecord {
  state.cells[id] ??= newCell();
  return state.cells[id];
}

/** Deadlines that ran while nobody looked begin anew; what must be asked of a cell waits until it has dialled. */
function awaitCells(state: CoreState, plan: Pick<SystemPlan, 'settings'>, now: number): CoreState {
  state.bootDeadlineMono = now + plan.settings.bootDeadlineMs;
  if (state.phase === 'stopping') state.stopDeadlineMono = now + STOP_MS;
  for (const kernel of Object.values(state.kernels)) {
    const { state: at } = kernel;
    const up = at === 'starting' || at === 'probing' || at === 'running' || at === 'draining' || at === 'stopping';
    if (up || (at === 'waiting' && cellOf(state, kernel.cell).state === 'online')) kernel.thread = 'loaded';
    if (at !== 'backoff') kernel.dueMono = Infinity;
    if (at === 'draining' || at === 'stopping') kernel.since = now;
    if (at === 'running' && now - kernel.since > kernel.manifest.restart.resetAfterMs) kernel.attempt = 0;
    if (!up && at !== 'waiting') kernel.cap = null;
    const cell = cellOf(state, kernel.cell);
    // Its end was written down, but not yet what followed for this kernel: it will be noticed once more.
    if (up && cell.state === 'down') cell.state = 'online';
  }
  for (const cell of Object.values(state.cells)) Object.assign(cell, { heardMono: now, orderedMono: now });
  for (const { kind, subject } of Object.values(state.incidents)) {
    const cell = state.cells[subject];
    if (kind === 'cell_frozen' && cell) cell.silence = { since: now, askedMono: -Infinity, from: null };
  }
  for (const [principal, mute] of Object.entries(state.mutes)) {
    const open = Object.values(state.incidents).find(
      (one) => one.kind === 'acl_violation' && one.subject === principal,
    );
    if (open) state.mutes[principal] = { ...mute, incident: open.id };
    else delete state.mutes[principal];
  }
  return state;
}
