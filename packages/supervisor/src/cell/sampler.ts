import {
  type CellSample,
  type MissedTime,
  SLOT,
  type SystemPlan,
  systemClock,
  type ThreadSample,
} from '@grace/contracts';
import { readThreadTimes } from './proc-thread.ts';
import { type ThreadHandle, within } from './thread-handle.ts';

interface Watched {
  elu: ReturnType<ThreadHandle['worker']['performance']['eventLoopUtilization']>;
  heap: { heapBytes: number; externalBytes: number } | null;
  heapAsked: boolean;
  /** Where the thread's counters stood when its first heartbeat did not come. */
  missedFrom: { atMono: number; cpuMs: number | null; runDelayMs: number | null; logs: number; work: number } | null;
}

export interface Sampler {
  sample(): CellSample;
  stop(): void;
}

/** A heartbeat is missed from this many intervals on. */
const MISSED_INTERVALS = 1.5;
/** Heap statistics do not settle while a thread sits in native code, ms. */
const HEAP_DEADLINE_MS = 1000;
const HEAP_EVERY_MS = 5000;
const USAGE_EVERY_MS = 5000;

/**
 * Watches the threads of this cell. Ages of heartbeats are looked at every `watchMs`, which costs next to nothing; whole samples are taken
 * every `sampleMs`, and at once while a heartbeat is late.
 */
export function createSampler(
  plan: SystemPlan,
  cell: string,
  threads: () => Iterable<ThreadHandle>,
  send: (sample: CellSample) => void,
): Sampler {
  const { watchMs, sampleMs } = plan.settings;
  const watched = new WeakMap<ThreadHandle, Watched>();
  let lastWatch = systemClock.monoMs();
  let lastSample = 0;
  // Boot is not the time for what can wait.
  let lastHeap = lastWatch;
  let lastUsage = lastWatch;
  let usage: { cpuPercent: number; rssBytes: number } | null = null;
  let agentLagMs = 0;
  let stopped = false;

  const state = (thread: ThreadHandle): Watched => {
    let known = watched.get(thread);
    if (!known) {
      known = { elu: thread.worker.performance.eventLoopUtilization(), heap: null, heapAsked: false, missedFrom: null };
      watched.set(thread, known);
    }
    return known;
  };

  const heartbeatAge = (thread: ThreadHandle, now: number): number => {
    const stamp = Atomics.load(thread.slot, SLOT.heartbeatNs);
    return stamp === 0n ? 0 : Math.max(0, now - Number(stamp / 1000n) / 1000);
  };

  /** Notes where a thread's counters stand at its first missed heartbeat; whether the thread is late enough to look at closely. */
  const watch = (thread: ThreadHandle, now: number): boolean => {
    const known = state(thread);
    const age = heartbeatAge(thread, now);
    if (age <= thread.order.manifest.heartbeatMs * MISSED_INTERVALS) {
      known.missedFrom = null;
      return false;
    }
    if (known.missedFrom === null) {
      const times = readThreadTimes(thread.tid);
      known.elu = thread.worker.performance.eventLoopUtilization();
      known.missedFrom = {
        atMono: now,
        cpuMs: times?.cpuMs ?? null,
        runDelayMs: times?.runDelayMs ?? null,
        logs: word(thread, SLOT.logs),
        work: word(thread, SLOT.work),
      };
    }
    return age > thread.order.manifest.lateAfterMs;
  };

  const measure = (thread: ThreadHandle, now: number): ThreadSample => {
    const known = state(thread);
    const times = readThreadTimes(thread.tid);
    const elu = thread.worker.performance.eventLoopUtilization();
    const used = thread.worker.performance.eventLoopUtilization(elu, known.elu);
    const spanMs = used.active + used.idle;
    // While a heartbeat is missed, utilisation is taken since then; else since the sample before.
    if (known.missedFrom === null) known.elu = elu;
    return {
      kernel: thread.kernel,
      incarnation: thread.incarnation,
      atMono: now,
      heartbeatAgeMs: Math.round(heartbeatAge(thread, now) * 10) / 10,
      elu: spanMs > 0 ? Math.round(used.utilization * 1000) / 1000 : null,
      cpuMs: times?.cpuMs ?? null,
      runDelayMs: times?.runDelayMs ?? null,
      heapBytes: known.heap?.heapBytes ?? null,
      externalBytes: known.heap?.externalBytes ?? null,
      missed: missedTime(thread, known, times, now),
      logs: word(thread, SLOT.logs),
      errors: word(thread, SLOT.errors),
      work: word(thread, SLOT.work),
    };
  };

  const readHeap = (thread: ThreadHandle): void => {
    const known = state(thread);
    if (known.heapAsked) return;
    known.heapAsked = true;
    within(thread.worker.getHeapStatistics(), HEAP_DEADLINE_MS, 'heap statistics')
      .then(
        (heap) => {
          known.heap = { heapBytes: heap.used_heap_size, externalBytes: heap.external_memory };
        },
        () => {
          known.heap = null;
        },
      )
      .finally(() => {
        known.heapAsked = false;
      });
  };

  const readUsage = (now: number): void => {
    if (now - lastUsage < USAGE_EVERY_MS) return;
    lastUsage = now;
    within(
      import('pidusage').then(({ default: pidusage }) => pidusage(process.pid)),
      HEAP_DEADLINE_MS,
      'process usage',
    ).then(
      (read) => {
        usage = { cpuPercent: Math.round(read.cpu * 10) / 10, rssBytes: read.memory };
      },
      () => {
        usage = null;
      },
    );
  };

  const sample = (): CellSample => {
    const now = systemClock.monoMs();
    if (now - lastHeap >= HEAP_EVERY_MS) {
      lastHeap = now;
      for (const thread of threads()) readHeap(thread);
    }
    readUsage(now);
    return {
      cell,
      atMono: now,
      agentLagMs: Math.round(agentLagMs * 10) / 10,
      cpuPercent: usage?.cpuPercent ?? null,
      rssBytes: usage?.rssBytes ?? process.memoryUsage.rss(),
      threads: Array.from(threads(), (thread) => measure(thread, now)),
    };
  };

  const timer = setInterval(() => {
    const now = systemClock.monoMs();
    // Decays, so that one late tick is still known when the samples it spoilt are judged.
    agentLagMs = Math.max(now - lastWatch - watchMs, agentLagMs * 0.7, 0);
    lastWatch = now;
    let late = false;
    for (const thread of threads()) late = watch(thread, now) || late;
    if (stopped || (!late && now - lastSample < sampleMs)) return;
    lastSample = now;
    send(sample());
  }, watchMs);

  return {
    sample,
    stop() {
      stopped = true;
      clearInterval(timer);
    },
  };
}

function word(thread: ThreadHandle, index: number): number {
  return Number(Atomics.load(thread.slot, index));
}

function missedTime(
  thread: ThreadHandle,
  known: Watched,
  times: { cpuMs: number; runDelayMs: number } | null,
  now: number,
): MissedTime | null {
  const from = known.missedFrom;
  if (!from) return null;
  return {
    forMs: now - from.atMono,
    cpuMs: times && from.cpuMs !== null ? times.cpuMs - from.cpuMs : null,
    runDelayMs: times && from.runDelayMs !== null ? times.runDelayMs - from.runDelayMs : null,
    logs: word(thread, SLOT.logs) - from.logs,
    work: word(thread, SLOT.work) - from.work,
  };
}
