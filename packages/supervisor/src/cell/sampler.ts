import {
  type CellSample,
  type MissedTime,
  SLOT,
  type SystemPlan,
  systemClock,
  type ThreadSample,
} from '@grace/contracts';
import { createMemoryWatch } from './memory-watch.ts';
import { readThreadTimes, waitsForDisk } from './proc-thread.ts';
import { type ThreadHandle, within } from './thread-handle.ts';

interface Watched {
  elu: ReturnType<ThreadHandle['worker']['performance']['eventLoopUtilization']>;
  /** Where the thread's counters stood when its first heartbeat did not come. */
  missedFrom: { atMono: number; cpuMs: number | null; runDelayMs: number | null; logs: number; work: number } | null;
  /** How long it was seen to wait for a disk since then. */
  diskMs: number | null;
  lookedMono: number;
}

export interface Sampler {
  sample(): CellSample;
  stop(): void;
}

/** A heartbeat is missed from this many intervals on. */
const MISSED_INTERVALS = 1.5;
const USAGE_EVERY_MS = 5000;
const USAGE_DEADLINE_MS = 1000;

/**
 * Watches the threads of this cell. Ages of heartbeats are looked at every `watchMs`, which costs next to nothing; whole samples are taken
 * every `sampleMs`, and at once while a heartbeat is late or memory grows.
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
  let lastUsage = lastWatch;
  let cpuPercent: number | null = null;
  let agentLagMs = 0;
  let due: NodeJS.Immediate | undefined;
  let stopped = false;

  const state = (thread: ThreadHandle): Watched => {
    let known = watched.get(thread);
    if (!known) {
      known = {
        elu: thread.worker.performance.eventLoopUtilization(),
        missedFrom: null,
        diskMs: null,
        lookedMono: 0,
      };
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
      known.diskMs = 0;
    }
    noteDisk(thread.tid, known, now, watchMs);
    return age > thread.order.manifest.lateAfterMs;
  };

  const measure = (thread: ThreadHandle, now: number): ThreadSample => {
    const known = state(thread);
    const times = readThreadTimes(thread.tid);
    const elu = thread.worker.performance.eventLoopUtilization();
    const used = thread.worker.performance.eventLoopUtilization(elu, known.elu);
    const spanMs = used.active + used.idle;
    const heap = memory.tell(thread);
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
      heapBytes: heap?.heapBytes ?? null,
      externalBytes: heap?.externalBytes ?? null,
      heapAtMono: heap?.atMono ?? null,
      cap: thread.cap,
      missed: missedTime(thread, known, times, now),
      logs: word(thread, SLOT.logs),
      errors: word(thread, SLOT.errors),
      work: word(thread, SLOT.work),
      published: word(thread, SLOT.published),
      refused: word(thread, SLOT.refused),
      servedMs: Math.round(word(thread, SLOT.servedNs) / 1e5) / 10,
    };
  };

  const readUsage = (now: number): void => {
    if (now - lastUsage < USAGE_EVERY_MS) return;
    lastUsage = now;
    within(
      import('pidusage').then(({ default: pidusage }) => pidusage(process.pid)),
      USAGE_DEADLINE_MS,
      'process usage',
    ).then(
      (read) => {
        cpuPercent = Math.round(read.cpu * 10) / 10;
      },
      () => {
        cpuPercent = null;
      },
    );
  };

  const sample = (): CellSample => {
    const now = systemClock.monoMs();
    readUsage(now);
    return {
      cell,
      atMono: now,
      agentLagMs: Math.round(agentLagMs * 10) / 10,
      cpuPercent,
      rssBytes: memory.rssBytes(),
      threads: Array.from(threads(), (thread) => measure(thread, now)),
    };
  };

  const sendNow = (): void => {
    due = undefined;
    lastSample = systemClock.monoMs();
    send(sample());
  };
  // The readings of one look come one by one; a sample carries all that are there.
  const memory = createMemoryWatch(threads, () => {
    if (!stopped) due ??= setImmediate(sendNow);
  });

  const timer = setInterval(() => {
    const now = systemClock.monoMs();
    // Decays, so that one late tick is still known when the samples it spoilt are judged.
    agentLagMs = Math.max(now - lastWatch - watchMs, agentLagMs * 0.7, 0);
    lastWatch = now;
    let late = false;
    for (const thread of threads()) late = watch(thread, now) || late;
    memory.look(now);
    if (late || now - lastSample >= sampleMs) sendNow();
  }, watchMs);

  return {
    sample,
    stop() {
      stopped = true;
      clearInterval(timer);
      clearImmediate(due);
      memory.stop();
    },
  };
}

function word(thread: ThreadHandle, index: number): number {
  return Number(Atomics.load(thread.slot, index));
}

/** Adds the time since the look before, when it waits for a disk now. A look that came late itself says little about what lay between. */
function noteDisk(tid: number, known: Watched, now: number, watchMs: number): void {
  const waits = waitsForDisk(tid);
  if (waits === null) known.diskMs = null;
  else if (waits && known.diskMs !== null) known.diskMs += Math.min(now - known.lookedMono, 2 * watchMs);
  known.lookedMono = now;
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
    diskMs: known.diskMs,
    logs: word(thread, SLOT.logs) - from.logs,
    work: word(thread, SLOT.work) - from.work,
  };
}
