import type { BusStatistics, Incident, KernelStatus, StatusDocument } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';
import type { Baselines } from './baselines.ts';
import type { FactGroup, Facts } from './playbook/facts.ts';

/** What a run is about: an incident, or a target named by hand. */
export interface Subject {
  target: string;
  incident: Incident | null;
}

const DEADLINE_MS = 2000;

/** Takes the observations that `groups` need. A source that does not answer leaves its groups out, so that clauses over them are unknown. */
export async function observe(
  ctx: KernelContext,
  subject: Subject,
  groups: ReadonlySet<FactGroup>,
  baselines: Baselines,
): Promise<Facts> {
  const needsStatus = groups.has('target') || groups.has('neighbours') || groups.has('system');
  const [status, incidents, bus] = await Promise.all([
    needsStatus ? answer<StatusDocument>(ctx, 'status', () => readStatus(ctx)) : undefined,
    groups.has('neighbours') ? answer<Incident[]>(ctx, 'incidents', () => readIncidents(ctx)) : undefined,
    groups.has('principal') ? answer<BusStatistics>(ctx, 'bus', () => readBus(ctx)) : undefined,
  ]);
  const { target, incident } = subject;
  const openedMono = incident?.openedMono ?? ctx.clock.monoMs();
  return {
    ...(incident ? { incident: { ...incident } } : {}),
    ...(status ? { target: targetFacts(status, target, baselines, openedMono), system: { ...status.system } } : {}),
    ...(status && incidents ? { neighbours: neighbourFacts(status, incidents, target, baselines, openedMono) } : {}),
    ...(bus ? { principal: principalFacts(bus, target, ctx.clock.monoMs()) } : {}),
  };
}

export async function readStatus(ctx: KernelContext): Promise<StatusDocument> {
  return (await ctx.supervisor.command('status', {}, DEADLINE_MS)) as StatusDocument;
}

export async function readIncidents(ctx: KernelContext, id?: string): Promise<Incident[]> {
  return (await ctx.supervisor.command('incident', id === undefined ? {} : { id }, DEADLINE_MS)) as Incident[];
}

async function readBus(ctx: KernelContext): Promise<BusStatistics> {
  return (await ctx.call('message_bus', 'stats', {}, { deadlineMs: DEADLINE_MS })) as BusStatistics;
}

async function answer<T>(ctx: KernelContext, source: string, read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    ctx.log.debug('an observation did not answer', { source, error: (error as Error).message });
    return undefined;
  }
}

function targetFacts(status: StatusDocument, id: string, baselines: Baselines, openedMono: number) {
  const kernel = status.kernels.find((candidate) => candidate.id === id);
  if (!kernel) return { id, known: false };
  const before = baselines.at(openedMono)?.kernels[id];
  const isSame = before?.incarnation === kernel.incarnation;
  return { ...kernel, known: true, logsGained: isSame ? kernel.logs - before.logs : kernel.logs };
}

function neighbourFacts(
  status: StatusDocument,
  incidents: readonly Incident[],
  target: string,
  baselines: Baselines,
  openedMono: number,
) {
  const others = status.kernels.filter((kernel) => kernel.id !== target);
  const baseline = baselines.at(openedMono);
  const running = others.filter((kernel) => kernel.state === 'running').length;
  if (!baseline) return { total: others.length, running };
  // A shared clock, but two looks: an incident is opened a moment before or after the restart it explains.
  const recent = incidents.filter((one) => one.closedMono === undefined || one.closedMono >= baseline.atMono);
  const explained = (kernel: KernelStatus): boolean =>
    recent.some((one) => one.subject === kernel.id || one.subject === kernel.cell);
  const accused = others.filter(
    (kernel) => kernel.restarts > (baseline.kernels[kernel.id]?.restarts ?? 0) && !explained(kernel),
  );
  return { total: others.length, running, restartedWithoutCause: accused.length };
}

function principalFacts(bus: BusStatistics, principal: string, nowMono: number) {
  const muted = bus.muted.find((one) => one.principal === principal);
  const mutedForMs = muted ? Math.max(0, muted.untilMono - nowMono) : 0;
  return { muted: muted !== undefined, mutedForMs, denied: bus.principals[principal]?.denied ?? 0 };
}
