import {
  type BusStatistics,
  type EventMap,
  type FaultKind,
  GraceError,
  MANIFEST_DEFAULTS,
  type StatusDocument,
  systemClock,
} from '@grace/contracts';
import type { ControlClient } from '@grace/control';
import { bytesThere } from '../damage/record-damage.ts';
import { newestSegment } from '../damage/segment-view.ts';
import { HEARTBEAT_STALE_MS } from '../observe/heartbeat.ts';
import { MACHINE_BUSY } from '../observe/metric.ts';
import { kernelOf, type TargetView } from '../observe/target.ts';
import { eventually, pause } from '../observe/wait.ts';
import type { Injection } from './injection.ts';
import {
  type MachineCpu,
  machineCpu,
  processExists,
  processRssBytes,
  threadCpuMs,
  threadExists,
  threadView,
} from './process-table.ts';

export type Effect = Pick<EventMap['fault:effect'], 'proven' | 'observed' | 'atMono'>;

/** What was measured before the fault, to compare with. */
export interface Baseline {
  status: StatusDocument;
  threadCpuMs: number | null;
  machine: MachineCpu | null;
  /** Of the target's process. */
  rssBytes: number | null;
}

export function baselineOf(status: StatusDocument, target: TargetView): Baseline {
  const { pid, tid } = target;
  return {
    status,
    threadCpuMs: pid === null || tid === null ? null : threadCpuMs(pid, tid),
    machine: machineCpu(),
    rssBytes: pid === null ? null : processRssBytes(pid),
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
/** A storm is told from a short burst of work by this much, ms. */
const STORMED_MS = 300;
/** A verb that has no answer for this long, from a thread that sleeps all the while, is not merely late, ms. */
const UNANSWERED_MS = 250;
/** What a thread that sleeps may burn in that time: one tick of the clock that counts it, ms. */
const ASLEEP_MS = 10;
/** Memory comes and goes; by this much a process grows only when somebody holds on to it, bytes. */
const LEAKED_BYTES = 32e6;
/** Refusals that make a flood. */
const FLOOD = 1000;
/** Messages of a flood that were accepted, and that wait at the broker, when it is more than its consumer handles. */
const BACKED_UP = { accepted: 300, waiting: 20 };
/** A torn write stands unchanged for at least this long, ms. */
const TORN_MS = 40;
/** Shortest stretch over which the load of the machine says anything, ms. */
const LOADED_MS = 300;

/** One per fault, each independent of the detectors under test. */
const PROBES: Record<FaultKind, EffectProbe> = {
  async heartbeat_pause({ control, target }) {
    const status = await control.request('status', {}, 1000);
    const heartbeatAgeMs = kernelOf(status, target.id)?.heartbeatAgeMs ?? 0;
    if (heartbeatAgeMs < PAUSED_MS) return null;
    await control.request('call', verbOf(target.id), 1000);
    return { heartbeatAgeMs: Math.round(heartbeatAgeMs), verbAnswered: true };
  },

  cpu_spin: burnt(SPUN_MS),
  catastrophic_regex: burnt(SPUN_MS),

  async cpu_storm(evidence) {
    const seen = await burnt(STORMED_MS)(evidence);
    if (!seen) return null;
    // The other half of the fault: the event loop turns.
    await evidence.control.request('call', verbOf(evidence.target.id), 1000);
    return { ...seen, verbAnswered: true };
  },

  atomics_wait: asleep,
  fifo_read: asleep,

  heap_leak: grown,
  external_leak: grown,

  uncaught_throw: threadGone,
  process_exit: threadGone,

  huge_allocation: processGone,
  segmentation_fault: processGone,

  // The main thread of a process has the process's own id.
  agent_block: (evidence) => {
    const { pid, kernels } = evidence.target;
    return asleep({ ...evidence, target: { ...evidence.target, id: kernels[0] ?? '', tid: pid } });
  },

  async acl_spam({ control, before, injection }) {
    const { denied = 0, muted = 0, sent = 0 } = injection.counts();
    const wanted = Math.min(FLOOD, Number(injection.lease.params['messages'] ?? FLOOD));
    if (denied + muted < wanted) return null;
    const status = await control.request('status', {}, 1000);
    const counted = status.bus.denied - before.status.bus.denied;
    return counted > 0 ? { sent, denied, muted, deniedByBroker: counted } : null;
  },

  async topic_flood({ control, injection }) {
    const { sent = 0, accepted = 0, overloaded = 0, handled = 0 } = injection.counts();
    const wanted = Math.min(BACKED_UP.accepted, Number(injection.lease.params['messages'] ?? BACKED_UP.accepted));
    if (accepted < wanted) return null;
    const order = { kernel: 'message_bus', verb: 'stats', input: {}, from: 'cli' };
    const { families = {} } = (await control.request('call', order, 1000)) as Partial<BusStatistics>;
    const waiting = families[String(injection.lease.params['subject']).split('.')[0]!]?.waiting ?? 0;
    return waiting < BACKED_UP.waiting ? null : { sent, accepted, overloaded, handled, waitingAtBroker: waiting };
  },

  async log_damage({ injection }) {
    const damage = injection.damage();
    if (!damage || damage.after === damage.before) return null;
    const { segment, seq, offset, before, after } = damage;
    const onDisk = bytesThere(damage) === after ? 'damaged' : 'changed since';
    return { segment, seq, offset, sha256Before: before.slice(0, 16), sha256After: after.slice(0, 16), onDisk };
  },

  async torn_write({ injection }) {
    const folder = String(injection.lease.params['folder']);
    const first = tornTail(folder);
    if (!first) return null;
    // A write of a living writer is over a moment later.
    await pause(TORN_MS);
    return JSON.stringify(tornTail(folder)) === JSON.stringify(first) ? first : null;
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

/** What stands behind the last whole record of the newest segment. */
function tornTail(folder: string): { segment: string; offset: number; tornBytes: number } | null {
  const segment = newestSegment(folder);
  if (!segment || segment.bytes.length === segment.end) return null;
  return { segment: segment.name, offset: segment.end, tornBytes: segment.bytes.length - segment.end };
}

/** The thread has burnt at least so much CPU since before the fault. */
function burnt(leastMs: number): EffectProbe {
  return async ({ target: { pid, tid }, before }) => {
    if (pid === null || tid === null || before.threadCpuMs === null) return null;
    const now = threadCpuMs(pid, tid);
    const burntMs = now === null ? 0 : now - before.threadCpuMs;
    return burntMs > leastMs ? { threadCpuMs: burntMs, tid } : null;
  };
}

/** The thread sleeps, before and after a verb that it does not answer, and burns no CPU meanwhile. */
async function asleep({ control, target: { id, pid, tid } }: Evidence): Promise<Record<string, unknown> | null> {
  if (pid === null || tid === null) return null;
  const before = threadView(pid, tid);
  if (before?.state !== 'S') return null;
  const asked = systemClock.monoMs();
  const answer = await control.request('call', verbOf(id), UNANSWERED_MS).then(
    () => 'answered',
    (error) => (error instanceof GraceError ? error.code : 'failed'),
  );
  const unansweredMs = Math.round(systemClock.monoMs() - asked);
  const after = threadView(pid, tid);
  if (answer !== 'DEADLINE' || after?.state !== 'S') return null;
  const cpuMs = after.cpuMs - before.cpuMs;
  return cpuMs <= ASLEEP_MS ? { threadCpuMs: cpuMs, unansweredMs, threadState: after.state, tid } : null;
}

async function grown({ target: { pid }, before }: Evidence): Promise<Record<string, unknown> | null> {
  const rssBytes = pid === null ? null : processRssBytes(pid);
  if (rssBytes === null || before.rssBytes === null || rssBytes - before.rssBytes < LEAKED_BYTES) return null;
  return { rssBefore: before.rssBytes, rssBytes, pid };
}

async function processGone({ target: { pid } }: Evidence): Promise<Record<string, unknown> | null> {
  return pid !== null && !processExists(pid) ? { processGone: pid } : null;
}

const verbOf = (kernel: string) => ({ kernel, verb: 'status', input: {}, from: 'workload' });

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
