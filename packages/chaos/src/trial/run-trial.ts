import { createHash } from 'node:crypto';
import { ACTOR_FAULTS, type FaultLease, type StatusDocument, systemClock, type WorkloadSample } from '@grace/contracts';
import { FLOOD_CONSUMER } from '../actors/protocol.ts';
import type { CheckContext } from '../check/context.ts';
import { removeMarker, writeMarker } from '../check/marker.ts';
import { runCheck } from '../check/run-check.ts';
import { injectActor } from '../fault/actor-fault.ts';
import { type Baseline, baselineOf, type Effect, proveEffect } from '../fault/effect.ts';
import { injectHeld } from '../fault/held-fault.ts';
import type { Injection, InjectionSite } from '../fault/injection.ts';
import { ledgerFolder } from '../fault/ledger-folder.ts';
import { awaitFreeMachine } from '../observe/free-machine.ts';
import type { LoopLag } from '../observe/loop-lag.ts';
import { type MachineWatch, watchMachine } from '../observe/machine-watch.ts';
import { metricOf } from '../observe/metric.ts';
import { type Observer, observe } from '../observe/observer.ts';
import { readable, resolveTarget, type TargetView } from '../observe/target.ts';
import { followTarget } from '../observe/target-readings.ts';
import { pause } from '../observe/wait.ts';
import type { Report, TrialPhase } from '../progress.ts';
import { disturbs, type Variant } from '../scenario/scenario.ts';
import { HOLD_MS, recoveredAt } from '../verdict/recovery.ts';
import type { PlannedTrial } from '../wave/plan.ts';
import type { Workload } from '../workload/workload.ts';

/** Everything one trial works with. */
export interface TrialSite extends InjectionSite {
  workload: Workload;
  /** What the workload saw before the first wave. */
  quiet: WorkloadSample;
  /** And in the steady state just before the trials of the moment. */
  before: WorkloadSample;
  lag: LoopLag;
  permit: string;
  report: Report;
  /** Aborted when the run is interrupted: the trial ends early, undoes its fault and is recorded as not finished. */
  signal: AbortSignal;
}

/** A lease lapses when the runner is silent for this long, ms. */
const TTL_MS = 1500;
/** How long the effect may take to show, ms. */
const EFFECT_DEADLINE_MS = 4000;
/** Past the objective, a recovery is still waited for this long, so that a miss has a figure, ms. */
const OVERTIME_MS = 1500;

/** Runs one trial from its first record to its last. */
export async function runTrial(site: TrialSite, plan: PlannedTrial): Promise<void> {
  const { control, recorder, workload, report, signal } = site;
  const { id, scenario, variant } = plan;
  await pause(plan.startAfterMs, signal);
  if (signal.aborted) return;

  const status = await control.request('status', {});
  const target = resolveTarget(status, variant.target, consumersOf(variant));
  const lease = leaseOf(site, plan, target);
  const { correlation } = lease;
  const say = (phase: TrialPhase): void =>
    report({ t: 'trial', trial: id, scenario: scenario.id, variant: variant.id, target: target.id, phase });

  say('preparing');
  const lag = site.lag.mark();
  const machine = watchMachine(status);
  const marker = await mark(site, plan);
  const stretch = workload.open(id, [
    ...new Set([...disturbs(variant), ...(target.kind === 'cellOf' ? target.kernels : []), ...alone(status)]),
  ]);
  const started = await recorder.append({
    name: 'trial:start',
    correlation,
    data: {
      trial: id,
      wave: plan.wave,
      scenario: scenario.id,
      title: scenario.title,
      variant: variant.id,
      number: plan.number,
      target: target.id,
      severity: scenario.severity,
      lease: lease.id,
      correlation,
      ...(target.also.length > 0 ? { also: target.also } : {}),
      expect: variant.expect,
    },
  });

  say('injecting');
  const inject = (ACTOR_FAULTS as readonly string[]).includes(lease.kind) ? injectActor : injectHeld;
  let before: Baseline;
  let injection: Injection;
  try {
    if (target.kind === 'machine') await awaitFreeMachine(control, signal);
    before = baselineOf(status, target);
    injection = await inject(site, lease);
  } catch (error) {
    const why = (error as Error).message;
    await noteEffect(site, id, lease, { proven: false, observed: { notInjected: why }, atMono: systemClock.monoMs() });
    const sample = await stretch.close();
    await recorder.append({ name: 'workload:sample', correlation, data: sample });
    await noteEnd(site, lease, id, false, lag.maxMs(), machine);
    say('ended');
    return;
  }

  const readings = followTarget(readable(status, target));
  const observer = observe(
    control,
    variant.observe,
    metricOf(target, lease.kind, status, () => injection.isOver()),
    (observation) => {
      recorder.append({ name: 'trial:observe', correlation, data: { trial: id, ...observation } }).catch(() => {});
    },
  );
  say('acting');
  const effect = await proveEffect({ control, target, before, injection }, EFFECT_DEADLINE_MS, signal);
  await noteEffect(site, id, lease, effect);
  say('recovering');
  const timedOut = await awaitRecovery(site, plan, injection, observer, effect);
  await observer.stop();
  readings.stop();
  const undone = await injection.undo();
  const sample = await stretch.close();

  say('checking');
  const context: CheckContext = {
    control,
    variant,
    target,
    before: status,
    injection,
    undone,
    actedMono: effect.proven ? effect.atMono : null,
    observed: effect.observed,
    observations: observer.observations,
    readings: readings.all,
    sample,
    quiet: site.quiet,
    baseline: site.before,
    acknowledged: () => workload.acknowledged(),
    home: site.home,
    marker,
    records: () => recorder.read(started),
    withheld: () => machine.seen(),
  };
  for (const order of [{ name: 'fault_undone', value: null }, ...variant.checks]) {
    if (signal.aborted && order.name !== 'fault_undone') break;
    const result = await runCheck(order, context);
    const check = order.value === null ? order.name : `${order.name} ${order.value}`;
    await recorder.append({ name: 'trial:check', correlation, data: { trial: id, check, ...result } });
  }
  if (marker !== null && variant.marker) await removeMarker(control, variant.marker, marker).catch(() => {});
  // The principal is the laboratory's own: the mute it earned is lifted when everything about it has been seen.
  if (target.kind === 'principal')
    await control
      .request('call', { kernel: 'message_bus', verb: 'unmute', input: { principal: target.id }, from: 'cli' })
      .catch(() => {});
  await recorder.append({ name: 'workload:sample', correlation, data: sample });
  // An interrupted trial has no end in the journal, so nothing is concluded from it.
  if (!signal.aborted) await noteEnd(site, lease, id, timedOut, lag.maxMs(), machine);
  say('ended');
}

/** Kernels that an earlier trial sent into a cell of their own: they go back, drained, whenever they have been well for long enough. */
function alone({ kernels }: StatusDocument): string[] {
  return kernels.filter(({ id, cell }) => cell === `solo_${id}`).map(({ id }) => id);
}

/** Whom a flood leaves behind, as the broker names it. */
function consumersOf({ fault, params }: Variant): string[] {
  return fault === 'topic_flood' ? [`${params['consumer']}/${FLOOD_CONSUMER}`] : [];
}

function leaseOf(site: TrialSite, { id, variant }: PlannedTrial, target: TargetView): FaultLease {
  return {
    id: `${site.run}.${id}`,
    kind: variant.fault,
    target: target.id,
    incarnation: target.incarnation,
    durationMs: variant.durationMs,
    ttlMs: TTL_MS,
    correlation: `${site.run}:${id}`,
    permit: site.permit,
    params: variant.fault === 'torn_write' ? { ...variant.params, folder: ledgerFolder(site.home) } : variant.params,
  };
}

/** Writes the scenario's marker, so that state can be compared after the fault; null when there is none or it cannot be written. */
async function mark({ control, run, report }: TrialSite, { id, variant }: PlannedTrial): Promise<string | null> {
  if (!variant.marker) return null;
  // Short and plain, so that it may be the id of a rule, a job, a document.
  const text = `marker_${createHash('sha256').update(`${run}.${id}`).digest('hex').slice(0, 16)}`;
  try {
    await writeMarker(control, variant.marker, text);
    return text;
  } catch (error) {
    report({
      t: 'message',
      level: 'warn',
      text: `${id}: the marker could not be written: ${(error as Error).message}`,
    });
    return null;
  }
}

/** Waits until the fault is over and the steady state is back and held; true when the time for that ran out. */
async function awaitRecovery(
  { signal }: TrialSite,
  { variant }: PlannedTrial,
  injection: Injection,
  observer: Observer,
  effect: Effect,
): Promise<boolean> {
  if (!effect.proven) return false;
  let overMono: number | null = null;
  const { recoveredBy, recoverWithinMs } = variant.expect;
  const end = injection.orderedMono + Math.max(recoverWithinMs, variant.durationMs) + HOLD_MS + OVERTIME_MS;
  // Only what is seen after the fault counts: a kernel that leaks is well until the moment it is not.
  const isBack = (): boolean => {
    if (injection.isOver()) overMono ??= systemClock.monoMs();
    return overMono !== null && recoveredAt(observer.observations, recoveredBy, overMono) !== null;
  };
  while (!isBack()) {
    if (systemClock.monoMs() >= end) return true;
    if (signal.aborted) return false;
    await pause(50, signal);
  }
  return false;
}

async function noteEffect(
  { recorder, report }: TrialSite,
  trial: string,
  lease: FaultLease,
  effect: Effect,
): Promise<void> {
  await recorder.append({
    name: 'fault:effect',
    correlation: lease.correlation,
    data: { lease: lease.id, ...effect },
  });
  report({ t: 'effect', trial, proven: effect.proven, observed: effect.observed });
}

async function noteEnd(
  { recorder }: TrialSite,
  { correlation }: FaultLease,
  trial: string,
  timedOut: boolean,
  lagMs: number,
  machine: MachineWatch,
): Promise<void> {
  const withheld = machine.stop();
  await recorder.append({
    name: 'trial:end',
    correlation,
    data: { trial, timedOut, runnerLagMsMax: Math.round(lagMs), ...(withheld.length > 0 ? { withheld } : {}) },
  });
}
