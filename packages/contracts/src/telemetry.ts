/**
 * The telemetry lane: one shared-memory slot per kernel thread, written by the thread, read by its cell agent at any time, whatever the
 * thread is doing. All words are 64-bit integers.
 */
export const SLOT = {
  /** Monotonic ns of the last heartbeat. */
  heartbeatNs: 0,
  /** Heartbeats stamped. */
  beats: 1,
  /** Thread id of the operating system, 0 until the thread has read it. */
  tid: 2,
  /** Log records made, whether or not their level is written. */
  logs: 3,
  /** Verbs and probes begun: the thread's own count of work. */
  work: 4,
  /** Fault switch: monotonic ns until which the armed fault may act; 0 = none. Written by the cell agent, so it ends a spinning thread too. */
  faultUntilNs: 5,
  /** Set by the thread when the fault has begun to act: monotonic ns. */
  faultBitNs: 6,
  /** Errors logged. */
  errors: 7,
  /** Messages it asked the bus to publish, and those that were refused because it, or the bus, had too much under way. */
  published: 8,
  refused: 9,
  /** Time, ns, in which at least one verb or message was under way that has ended since: the thread served somebody. */
  servedNs: 10,
  /** 1 from the moment on at which the thread ends by itself, before its environment is taken down. */
  ending: 11,
} as const;

export const SLOT_WORDS = 12;

export function createSlot(): BigInt64Array<SharedArrayBuffer> {
  return new BigInt64Array(new SharedArrayBuffer(SLOT_WORDS * 8));
}

/** What a thread did since its first missed heartbeat, ms. Null where the machine does not tell. */
export interface MissedTime {
  forMs: number;
  cpuMs: number | null;
  runDelayMs: number | null;
  /** How long of it the thread was seen to wait for a disk; absent where nobody looked. */
  diskMs?: number | null;
  logs: number;
  work: number;
}

/** What a cell agent measures of one thread. Null = cannot be read here or did not answer in time, which is itself evidence. */
export interface ThreadSample {
  kernel: string;
  incarnation: number;
  /** Monotonic ms at which the sample was taken. */
  atMono: number;
  /** Age of the last heartbeat, ms. */
  heartbeatAgeMs: number;
  /** Event-loop utilisation since the sample before, 0..1. */
  elu: number | null;
  /** CPU time of the thread since it started, ms (`/proc/<pid>/task/<tid>/stat`, 10 ms steps; schedstat where readable, ns). */
  cpuMs: number | null;
  /** Time the thread was runnable but not running since it started, ms (`schedstat`). */
  runDelayMs: number | null;
  heapBytes: number | null;
  externalBytes: number | null;
  /** When the heap was read, monotonic ms: it is read more seldom than the rest, and does not answer during a native call. */
  heapAtMono: number | null;
  /** Share of one core its CPU limit lets it have at this moment; null: none. A thread held at its limit is late by our own doing. */
  cap: number | null;
  /** Since the first heartbeat that did not come; null while none is missed. What the thread did with the time tells a stuck one from a starved one. */
  missed: MissedTime | null;
  logs: number;
  errors: number;
  work: number;
  published: number;
  refused: number;
  /** Time in which it had something of others under way that has ended since, ms, since it started. */
  servedMs: number;
}

/** One cell's samples of one moment. */
export interface CellSample {
  cell: string;
  atMono: number;
  /** How late the agent's own timer was, ms: when the observer is late, everybody looks late. */
  agentLagMs: number;
  /** CPU of the whole host process in percent of one core, from pidusage; null between its readings. */
  cpuPercent: number | null;
  rssBytes: number | null;
  threads: ThreadSample[];
}
