import type { Draft } from './draft.ts';
import { closeIncident, hasOpen, openIncident } from './incidents.ts';
import { holdInCrowd } from './throttle.ts';

/** Share of all cores that is busy, above which the machine counts as full, and below which it does not any more. */
const FULL = 0.95;
const FREE = 0.85;
const FULL_FOR_MS = 500;

/** How long it must be free, ms. */
const CALM_MS = 1000;

/** The machine as a whole: a full one is an incident of its own, and nobody's fault inside. */
export function takeMachine(draft: Draft, busy: number, lagMs: number): void {
  const { machine } = draft.state;
  const wasFull = machine.busy >= FULL;
  machine.lagMs = lagMs;
  if (busy >= FULL !== wasFull) machine.since = draft.now;
  machine.busy = busy;
  if (busy >= FULL) machine.fullMono = draft.now;
  if (busy >= FULL && draft.now - machine.since >= draft.state.settings.overloadAfterMs) holdInCrowd(draft);
  const open = Object.values(draft.state.incidents).find((incident) => incident.kind === 'cpu_saturation');
  const forMs = draft.now - Math.max(machine.since, bootEndMono(draft));
  if (busy >= FULL && forMs >= FULL_FOR_MS && !hasOpen(draft, 'machine', 'cpu_saturation')) {
    openIncident(draft, 'cpu_saturation', 'machine', 'metric', {
      busy: Math.round(busy * 100) / 100,
      forMs: Math.round(forMs),
    });
  } else if (open && busy < FREE) {
    open.calmSince ??= draft.now;
    if (draft.now - open.calmSince >= CALM_MS) closeIncident(draft, open.id, 'cores are free again');
  } else if (open) open.calmSince = null;
}

/** A boot takes all the cores there are: that is no incident, and a playbook that then asks everybody makes it longer. */
function bootEndMono({ state }: Draft): number {
  return state.phase === 'booting' ? Number.POSITIVE_INFINITY : state.startedMono + (state.readyMs ?? 0);
}
