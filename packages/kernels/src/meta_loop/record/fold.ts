import type { AnyRecord } from '@grace/contracts';
import type { Facts, IncidentFact, OnsetSource, RunFact } from './facts.ts';
import { bound, type FoldState, isDrill, newMemory, type OpenIncident } from './fold-state.ts';
import { restartVerdict } from './restart-verdict.ts';

/** One record more. Changes `state`, and adds to `facts`; a fact that is told again replaces the one of the same id. */
export function takeRecord(state: FoldState, record: AnyRecord, facts: Facts): void {
  state.seq = record.seq;
  switch (record.name) {
    case 'system:boot':
      // Nothing of the life before goes on, and everybody is known from here on.
      state.open = {};
      state.faults = {};
      state.permits = {};
      state.kernels = Object.fromEntries(record.data.kernels.map((id) => [id, newMemory()]));
      return;
    case 'drill:permit':
      state.permits[record.data.id] = record.wallMs + record.data.untilMono - record.monoMs;
      bound(state.permits);
      return;
    case 'drill:revoke':
      delete state.permits[record.data.id];
      return;
    case 'fault:inject':
      if (!record.correlation) return;
      state.faults[record.correlation] = {
        ...{ lease: record.data.lease, target: record.data.target, injectedMono: record.monoMs },
        ...{ actsMono: null, undone: false },
      };
      bound(state.faults);
      return;
    case 'fault:undo':
      for (const fault of Object.values(state.faults)) if (fault.lease === record.data.lease) fault.undone = true;
      return;
    case 'fault:effect': {
      const fault = record.correlation ? state.faults[record.correlation] : undefined;
      if (!fault || !record.data.proven || fault.actsMono !== null) return;
      fault.actsMono = record.data.atMono;
      // Often it is proven only after it was noticed.
      for (const incident of Object.values(state.open)) {
        if (incident.correlation !== record.correlation || incident.detectedMono === null) continue;
        if (incident.onset !== 'fault' || incident.detectedMono < fault.actsMono) continue;
        incident.detectMs = incident.detectedMono - fault.actsMono;
        facts.incidents.push(factOf(incident));
      }
      return;
    }
    case 'incident:open':
    case 'detector:fire':
    case 'incident:escalate':
    case 'incident:close':
      takeIncident(state, record, facts);
      return;
    case 'playbook:start': {
      const { run, playbook, incident, target, dryRun } = record.data;
      if (dryRun) return;
      const fact: RunFact = { run, playbook, incident, target, atMs: record.wallMs, outcome: null, ms: null };
      state.runs[run] = fact;
      bound(state.runs);
      facts.runs.push({ ...fact });
      return;
    }
    case 'playbook:end': {
      const { run, playbook, incident, outcome, ms } = record.data;
      const started = state.runs[run];
      delete state.runs[run];
      if (outcome === 'dry run') return;
      const fact: RunFact = started ?? { run, playbook, incident, target: '', atMs: record.wallMs, outcome, ms };
      facts.runs.push({ ...fact, outcome, ms });
      return;
    }
    case 'cell:exit':
      for (const id of record.data.kernels) {
        const kernel = state.kernels[id];
        if (kernel) kernel.cellExited = true;
      }
      return;
    default:
      if (record.kernel !== undefined) takeKernel(state, record, record.kernel, facts);
  }
}

function takeKernel(state: FoldState, record: AnyRecord, id: string, facts: Facts): void {
  const kernel = state.kernels[id];
  switch (record.name) {
    case 'kernel:ready':
      facts.readies.push({
        ...{ seq: record.seq, atMs: record.wallMs, kernel: id, readyMs: record.data.readyMs },
        boot: record.incarnation === 1,
      });
      for (const incident of Object.values(state.open))
        if (incident.subject === id) incident.readyMs = record.data.readyMs;
      state.kernels[id] = { ...newMemory(), up: true };
      return;
    case 'kernel:condition':
      if (!kernel) return;
      kernel.condition = record.data.to;
      if (record.data.to === 'healthy') kernel.symptomMono = null;
      // A starved kernel shows no symptom of its own.
      else if (record.data.to !== 'starved') kernel.symptomMono ??= record.monoMs;
      return;
    case 'kernel:probe':
      if (!kernel) return;
      if (record.data.ok) kernel.symptomMono = null;
      else kernel.symptomMono ??= record.monoMs - record.data.ms;
      return;
    case 'kernel:exit':
      if (!kernel || record.data.expected) return;
      kernel.exited = true;
      kernel.exitMono = record.monoMs;
      return;
    case 'kernel:pressure':
      if (kernel) kernel.pressed = true;
      return;
    case 'kernel:restart': {
      const { cause, delayMs } = record.data;
      const own = Object.values(state.open).filter(({ subject }) => subject === id);
      for (const incident of own) incident.delayMs += delayMs;
      const standing = {
        known: kernel !== undefined,
        condition: kernel?.condition ?? 'healthy',
        exited: kernel?.exited ?? false,
        wasRunning: kernel?.up ?? false,
        pressed: kernel?.pressed ?? false,
        cellExited: kernel?.cellExited ?? false,
        open: Object.fromEntries(own.map(({ kind, methods }) => [kind, methods])),
      };
      const drill = isDrill(state, record.wallMs, record.correlation);
      facts.restarts.push({
        ...{ seq: record.seq, atMs: record.wallMs, kernel: id, cause, drill },
        ...restartVerdict(cause, standing),
      });
      // Its next life has done nothing yet.
      if (kernel) state.kernels[id] = newMemory();
      return;
    }
    default:
  }
}

type IncidentRecord = Extract<AnyRecord, { name: `incident:${string}` | 'detector:fire' }>;

function takeIncident(state: FoldState, record: IncidentRecord, facts: Facts): void {
  if (record.name === 'incident:open') {
    const { id, kind, subject, correlation } = record.data.incident;
    state.open[id] = {
      ...{ id, kind, subject, openedMs: record.wallMs, closedMs: null, outcome: null, escalated: false },
      drill: isDrill(state, record.wallMs, correlation ?? record.correlation),
      ...{ method: null, detectMs: null, onset: null, recoverMs: null, delayMs: 0, readyMs: 0 },
      ...{ openedMono: record.monoMs, detectedMono: null, methods: [] },
      correlation: correlation ?? record.correlation ?? null,
    };
    bound(state.open);
    facts.incidents.push(factOf(state.open[id]!));
    return;
  }
  const id = record.name === 'detector:fire' ? record.data.incident : record.data.id;
  const incident = state.open[id];
  if (!incident) return;
  switch (record.name) {
    case 'detector:fire':
      incident.methods.push(record.data.method);
      if (incident.method === null) {
        incident.method = record.data.method;
        incident.detectedMono = record.monoMs;
        markDrill(state, incident);
        Object.assign(incident, onsetOf(state, incident, record));
      }
      break;
    case 'incident:escalate':
      incident.escalated = true;
      break;
    case 'incident:close': {
      const ms = record.monoMs - incident.openedMono;
      // The clock of another machine boot.
      incident.recoverMs = ms >= 0 ? ms : null;
      incident.closedMs = record.wallMs;
      incident.outcome = record.data.outcome;
      delete state.open[id];
    }
  }
  facts.incidents.push(factOf(incident));
}

/** A principal carries no correlation: that it is the target of a fault under way tells as much. */
function markDrill(state: FoldState, incident: OpenIncident): void {
  if (incident.correlation !== null) return;
  const cause = Object.entries(state.faults).findLast(
    ([, { target, undone }]) => target === incident.subject && !undone,
  );
  if (cause) Object.assign(incident, { correlation: cause[0], drill: true });
}

/** When it began, and how that is known: by the fault that was injected; else by the age of the last heartbeat, the first symptom, or the end of the thread. */
function onsetOf(
  state: FoldState,
  { subject, correlation }: OpenIncident,
  record: Extract<AnyRecord, { name: 'detector:fire' }>,
): { detectMs: number | null; onset: OnsetSource | null } {
  const at = record.monoMs;
  const known = (onset: OnsetSource, mono: number): { detectMs: number; onset: OnsetSource } | undefined =>
    mono <= at ? { detectMs: at - mono, onset } : undefined;
  const fault = correlation === null ? undefined : state.faults[correlation];
  if (fault) {
    const byFault = known('fault', fault.actsMono ?? fault.injectedMono) ?? known('fault', fault.injectedMono);
    if (byFault) return byFault;
  }
  const { heartbeatAgeMs } = record.data.evidence;
  if (record.data.method === 'heartbeat' && typeof heartbeatAgeMs === 'number' && heartbeatAgeMs >= 0)
    return { detectMs: heartbeatAgeMs, onset: 'heartbeat' };
  const kernel = state.kernels[subject];
  const byExit = record.data.method === 'exit' && kernel?.exitMono != null ? known('exit', kernel.exitMono) : undefined;
  const bySymptom = kernel?.symptomMono != null ? known('symptom', kernel.symptomMono) : undefined;
  return byExit ?? bySymptom ?? { detectMs: null, onset: null };
}

function factOf(incident: OpenIncident): IncidentFact {
  const { openedMono: _o, detectedMono: _d, correlation: _c, methods: _m, ...fact } = incident;
  return fact;
}
