import type { SystemPlan } from '@grace/contracts';
import type { CoreState, KernelRecord } from './state.ts';

/** The state before anything has happened. `seed` and `incidentPrefix` come from outside, so that a replay can give the same. */
export function initialState(
  plan: Pick<SystemPlan, 'kernels' | 'safeguards' | 'settings'>,
  now: number,
  seed: number,
  incidentPrefix: string,
): CoreState {
  return {
    phase: 'booting',
    startedMono: now,
    readyMs: null,
    bootDeadlineMono: now + plan.settings.bootDeadlineMs,
    stopDeadlineMono: Infinity,
    safeguards: plan.safeguards,
    settings: {
      cellMemoryBytes: plan.settings.cellMemoryBytes,
      overloadAfterMs: plan.settings.overloadAfterMs,
      overloadCpu: plan.settings.overloadCpu,
      solitaryMs: plan.settings.solitaryMs,
    },
    random: seed | 0,
    incidentPrefix,
    incidentCount: 0,
    kernels: Object.fromEntries(plan.kernels.map((manifest) => [manifest.id, initialKernel(manifest, now)])),
    cells: {},
    incidents: {},
    machine: { busy: 0, since: now, lagMs: 0, fullMono: -Infinity },
    mutes: {},
  };
}

function initialKernel(manifest: SystemPlan['kernels'][number], now: number): KernelRecord {
  return {
    manifest,
    cell: manifest.cell,
    moveTo: null,
    state: 'waiting',
    since: now,
    wanted: true,
    incarnation: 0,
    orderedMono: now,
    readyMs: null,
    tid: null,
    verbs: [],
    thread: 'none',
    budgetUsed: {},
    restarts: 0,
    attempt: 0,
    dueMono: Infinity,
    error: null,
    condition: 'healthy',
    cap: null,
    limitMethod: 'none',
    limitSets: 0,
    throttle: null,
    starvedMono: -Infinity,
    pressedMono: -Infinity,
    solitary: null,
    window: [],
    probe: {
      inFlight: false,
      askedMono: 0,
      unansweredMono: null,
      dueMono: Infinity,
      failures: 0,
      suspicion: false,
      last: null,
    },
    after: null,
    cause: null,
    reason: null,
    correlation: undefined,
  };
}
