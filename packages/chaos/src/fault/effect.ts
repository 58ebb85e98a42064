import { type EventMap, type FaultKind, MANIFEST_DEFAULTS, type StatusDocument, systemClock } from '@grace/contracts';
import type { ControlClient } from '@grace/control';
import { HEARTBEAT_STALE_MS } from '../observe/heartbeat.ts';
import { MACHINE_BUSY } from '../observe/metric.ts';
import { kernelOf, type TargetView } from '../observe/target.ts';
import { eventually } from '../observe/wait.ts';
import type { Injection } from './injection.ts';
import { type MachineCpu, machineCpu, processExists, threadCpuMs, threadExists } from './process-table.ts';

export type Effect = Pick<EventMap['fault:effect'], 'proven' | 'observed' | 'atMono'>;

/** What was measured before the fault, to compare with. */
export interface Baseline {
  status: StatusDocument;
  threadCpuMs: number | null;
  machine: MachineCpu | null;
}

export function baselineOf(status: StatusDocument, target: TargetView): Baseline {
  const { pid, tid } = target;
  return {
    status,
    threadCpuMs: pid === null || tid === null ? null : threadCpuMs(pid, tid),
    machine: machineCpu(),
  };
}

interface Evidence {
  control: ControlClient;
  target: TargetView;
  before: Baseline;
  injection: Injection;
}

/** Looks once: what shows that the fault acts, or null while nothing does. */
type EffectProbe = (evidence: Evidence) => Promise<Record<string, unknown> | null>;

/** No heartbeat for this long is neither jitter nor the age of a sample. */
const PAUSED_MS = HEARTBEAT_STALE_MS + MANIFEST_DEFAULTS.heartbeatMs * 2;
/** A thread at rest burns less in the same time by far. */
const SPUN_MS = 80;
/** Refusals that make a flood. */
const FLOOD = 1000;
/** Shortest stretch over which the load of the machine says anything, ms. */
const LOADED_MS = 300;

/** One per fault, each independent of the detectors under test. */
const PROBES: Record<FaultKind, EffectProbe> = {
  async heartbeat_pause({ control, target }) {
    const status = await control.request('status', {}, 1000);
    const heartbeatAgeMs = kernelOf(status, target.id)?.heartbeatAgeMs ?? 0;
    if (heartbeatAgeMs < PAUSED_MS) return null;
    await control.request('call', { kernel: target.id, verb: 'status', input: {}, from: 'workload' }, 1000);
    return { heartbeatAgeMs: Math.round(heartbeatAgeMs), verbAnswered: true };
  },

  async cpu_spin({ target, before }) {
    if (target.pid === null || target.tid === null || before.threadCpuMs === null) return null;
    const now = threadCpuMs(target.pid, target.tid);
    const burntMs = now === null ? 0 : now - before.threadCpuMs;
    return burntMs > SPUN_MS ? { threadCpuMs: burntMs, tid: target.tid } : null;
  },

  uncaught_throw: threadGone,
  process_exit: threadGone,

  async segmentation_fault({ target }) {
    return target.pid !== null && !processExists(target.pid) ? { processGone: target.pid } : null;
  },

  async acl_spam({ control, before, injection }) {
    const { denied = 0, muted = 0, sent = 0 } = injection.counts();
    const wanted = Math.min(FLOOD, Number(injection.lease.params['messages'] ?? FLOOD));
    if (denied + muted < wanted) return null;
    const status = await control.request('status', {}, 1000);
    const counted = status.bus.denied - before.status.bus.denied;
    return counted > 0 ? { sent, denied, muted, deniedByBroker: counted } : null;
  },

  async cpu_hog({ before, injection }) {
    const { cpuMs = 0, cores = 1 } = injection.counts();
    const acting = injection.actingMono();
    const elapsedMs = acting === null ? 0 : systemClock.monoMs() - acting;
    if (elapsedMs < LOADED_MS || !before.machine) return null;
    const now = machineCpu();
    const busy = now ? (now.busy - before.machine.busy) / Math.max(1, now.total - before.machine.total) : 0;
    const hogShare = cpuMs / elapsedMs / cores;
    return busy > MACHINE_BUSY || hogShare > 0.8
      ? { machineBusy: round(busy), hogCpuMs: Math.round(cpuMs), cores }
      : null;
  },
};

async function threadGone({ target }: Evidence): Promise<Record<string, unknown> | null> {
  if (target.pid === null || target.tid === null || !processExists(target.pid)) return null;
  return threadExists(target.pid, target.tid) ? null : { threadGone: target.tid, processStays: target.pid };
}

const round = (share: number): number => Math.round(share * 100) / 100;

/**
 * Waits until the effect of a fault is seen. Its instant is the one at which the fault began to act, as its holder says, never later than
 * it was seen and never earlier than it was ordered: a clock that starts when the runner happens to look would flatter the system.
 */
export async function proveEffect(evidence: Evidence, deadlineMs: number, signal: AbortSignal): Promise<Effect> {
  const { injection } = evidence;
  const look = PROBES[injection.lease.kind];
  let trouble: string | null = null;
  const observed = await eventually(
    () =>
      look(evidence).catch((error: Error) => {
        trouble = error.message;
        return null;
      }),
    { deadlineMs, everyMs: 15, signal },
  );
  const seenMono = systemClock.monoMs();
  if (!observed) {
    const counts = injection.counts();
    return { proven: false, observed: { ...counts, ...(trouble === null ? {} : { trouble }) }, atMono: seenMono };
  }
  const acting = injection.actingMono() ?? injection.orderedMono;
  return { proven: true, observed, atMono: Math.min(seenMono, Math.max(acting, injection.orderedMono)) };
}
