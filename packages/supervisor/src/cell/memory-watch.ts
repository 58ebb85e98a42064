import { systemClock } from '@grace/contracts';
import { openProcessSize } from './process-size.ts';
import { type ThreadHandle, within } from './thread-handle.ts';

interface Reading {
  heapBytes: number;
  externalBytes: number;
  atMono: number;
}

interface Watched {
  /** Null: never read, or the last one asked did not come in time. */
  reading: Reading | null;
  /** Asked and not settled: a thread in a native call answers after it, and is not asked twice. */
  asked: boolean;
  /** What its loop had run when it was asked, ms. */
  activeMs: number;
  /** What was told by a sample. */
  told: { heapBytes: number; externalBytes: number };
  /** It is near a limit, or was on its way to one: read again as soon as it has run. */
  hot: boolean;
}

export interface MemoryWatch {
  /** One look, at each tick of the watch. Nothing happens when `threads` rest. */
  look(now: number): void;
  /** The last reading of a thread, for a sample that is sent now. */
  tell(thread: ThreadHandle): Reading | null;
  rssBytes(): number;
  stop(): void;
}

/** Every thread is read this often at least, ms. */
const READ_EVERY_MS = 5000;
/** After this long without an answer there is no reading, ms. */
const READ_DEADLINE_MS = 1000;
/** A host process without threads, and what a thread takes beside its heap: resident, measured on Node 26. */
const PROCESS_BYTES = 64 * 1024 ** 2;
const THREAD_BYTES = 12 * 1024 ** 2;
/** Readings are due when the process holds this share of the smallest room of a thread more than its readings explain. */
const ROOM_SHARE = 1 / 4;
const LEAST_BYTES = 2 * 1024 ** 2;
/** A thread that has run less since its last reading, ms, cannot have grown far. */
const RAN_MS = 5;
/** Growth of this share of a limit since the last sample makes another at once; so does reaching one of the marks. */
const TELL_SHARE = 1 / 16;
const MARKS = [0.8, 1];
/** A thread that would reach its limit within this time is read at every tick, ms. */
const HOT_MS = 2000;

/**
 * Notices growing memory within a tick or two and costs next to nothing while nobody grows: docs/architecture/memory.md.
 * At each look only the size of the process is read. What it holds beyond the readings of its threads is growth since them, or memory that
 * was freed and kept by the allocator, inside which a thread can grow unseen; when that is much against the room the threads have, those that
 * have run since are read. Every thread is read every 5 s anyway. `due` is called when a reading should be told at once.
 */
export function createMemoryWatch(threads: () => Iterable<ThreadHandle>, due: () => void): MemoryWatch {
  const size = openProcessSize();
  const watched = new WeakMap<ThreadHandle, Watched>();
  // Boot is not the time for what can wait.
  let lastRound = systemClock.monoMs();
  let virtualBytes = size.read().virtualBytes;

  const state = (thread: ThreadHandle): Watched => {
    let known = watched.get(thread);
    if (!known) {
      known = { reading: null, asked: false, activeMs: 0, told: { heapBytes: 0, externalBytes: 0 }, hot: false };
      watched.set(thread, known);
    }
    return known;
  };

  const read = (thread: ThreadHandle, known: Watched): void => {
    if (known.asked) return;
    known.asked = true;
    known.activeMs = thread.worker.performance.eventLoopUtilization().active;
    const asking = thread.worker.getHeapStatistics();
    const settled = (): void => {
      known.asked = false;
    };
    asking.then(settled, settled);
    within(asking, READ_DEADLINE_MS, 'heap statistics').then(
      ({ used_heap_size: heapBytes, external_memory: externalBytes }) => {
        const before = known.reading;
        known.reading = { heapBytes, externalBytes, atMono: systemClock.monoMs() };
        known.hot = isHot(before, known.reading, thread.order.manifest.limits);
        if (isNews(known.told, known.reading, thread.order.manifest.limits)) due();
      },
      () => {
        known.reading = null;
      },
    );
  };

  /** Its loop has run since the last reading; a thread that is still loading has no loop to ask. */
  const hasRun = (thread: ThreadHandle, known: Watched): boolean => {
    const { active } = thread.worker.performance.eventLoopUtilization();
    return active === 0 || active - known.activeMs >= RAN_MS;
  };

  /** Whether threads may have grown by a good part of the room they had, as far as the size of the process tells. */
  const mayHaveGrown = (): boolean => {
    const held = size.read();
    let explainedBytes = PROCESS_BYTES;
    let roomBytes = Number.POSITIVE_INFINITY;
    for (const thread of threads()) {
      const { limits } = thread.order.manifest;
      const { heapBytes, externalBytes } = state(thread).reading ?? { heapBytes: 0, externalBytes: 0 };
      explainedBytes += THREAD_BYTES + heapBytes + externalBytes;
      roomBytes = Math.min(roomBytes, limits.heapBytes - heapBytes, limits.externalBytes - externalBytes);
    }
    const stepBytes = Math.max(LEAST_BYTES, roomBytes * ROOM_SHARE);
    // Memory that was asked for and not touched shows in the address space alone.
    const asked = held.virtualBytes !== null && virtualBytes !== null && held.virtualBytes - virtualBytes >= stepBytes;
    if (asked || (held.virtualBytes ?? 0) < (virtualBytes ?? 0)) virtualBytes = held.virtualBytes;
    return asked || held.residentBytes - explainedBytes >= stepBytes;
  };

  return {
    look(now) {
      const round = now - lastRound >= READ_EVERY_MS;
      if (round) lastRound = now;
      const grown = mayHaveGrown();
      for (const thread of threads()) {
        const known = state(thread);
        if (round || ((grown || known.hot) && hasRun(thread, known))) read(thread, known);
      }
    },
    tell(thread) {
      const known = state(thread);
      if (known.reading) known.told = known.reading;
      return known.reading;
    },
    rssBytes: () => size.read().residentBytes,
    stop: () => size.close(),
  };
}

type Bytes = Pick<Reading, 'heapBytes' | 'externalBytes'>;
const KINDS = ['heapBytes', 'externalBytes'] as const;

function isHot(before: Reading | null, now: Reading, limits: Bytes): boolean {
  return KINDS.some((kind) => {
    if (now[kind] >= limits[kind] * MARKS[0]!) return true;
    if (before === null || now[kind] <= before[kind]) return false;
    const msToLimit = ((limits[kind] - now[kind]) / (now[kind] - before[kind])) * (now.atMono - before.atMono);
    return msToLimit <= HOT_MS;
  });
}

function isNews(told: Bytes, now: Bytes, limits: Bytes): boolean {
  return KINDS.some(
    (kind) =>
      now[kind] - told[kind] >= limits[kind] * TELL_SHARE ||
      MARKS.some((mark) => told[kind] < mark * limits[kind] && now[kind] >= mark * limits[kind]),
  );
}
