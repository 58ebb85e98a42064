import type { ProcFiles } from './proc/files.ts';

export interface ThreadUsage {
  tid: number;
  name: string;
  /** The kernel whose thread it is, null for the others of the process. */
  kernel: string | null;
  state: string;
  cpuMs: number;
  /** Percent of one core since the sample before; null at the first sight of the thread. */
  cpuPercent: number | null;
  /** Time it was ready to run but was not let, since the sample before, per second; null where it cannot be read. */
  runDelayMsPerS: number | null;
}

export interface CellUsage {
  cell: string;
  pid: number;
  alive: boolean;
  cpuPercent: number | null;
  rssBytes: number | null;
  descriptors: { open: number; limit: number } | null;
  threads: ThreadUsage[];
}

/** A process of the system, and which of its threads belong to which kernel. */
export interface CellPlace {
  cell: string;
  pid: number;
  kernels: Readonly<Record<number, string>>;
}

/** Reads what processes and threads use. Keeps the counters of the reading before, since only differences say something. */
export interface UsageReader {
  read(cells: readonly CellPlace[]): Promise<CellUsage[]>;
}

interface Counters {
  atMono: number;
  cpuMs: number;
  runDelayMs: number | null;
}

export function createUsageReader(files: ProcFiles, monoMs: () => number): UsageReader {
  let before = new Map<string, Counters>();
  return {
    async read(cells) {
      const now = new Map<string, Counters>();
      const usages = await Promise.all(cells.map((cell) => readCell(files, cell, monoMs, before, now)));
      before = now;
      return usages;
    },
  };
}

async function readCell(
  files: ProcFiles,
  place: CellPlace,
  monoMs: () => number,
  before: ReadonlyMap<string, Counters>,
  now: Map<string, Counters>,
): Promise<CellUsage> {
  const { cell, pid } = place;
  const [stat, rssBytes, descriptors, tids] = await Promise.all([
    files.stat(pid),
    files.rssBytes(pid),
    files.descriptors(pid),
    files.threads(pid),
  ]);
  const alive = stat !== undefined && stat.state !== 'Z';
  const threads = await Promise.all((tids ?? []).map((tid) => readThread(files, place, tid, monoMs, before, now)));
  let cpuPercent: number | null = null;
  if (stat) {
    const counters = { atMono: monoMs(), cpuMs: stat.cpuMs, runDelayMs: null };
    const key = `${pid}/${stat.startTicks}`;
    cpuPercent = rates(before.get(key), counters).cpuPercent;
    now.set(key, counters);
  }
  return {
    cell,
    pid,
    alive,
    cpuPercent,
    rssBytes: rssBytes ?? null,
    descriptors: descriptors ?? null,
    threads: threads.filter((thread) => thread !== undefined),
  };
}

async function readThread(
  files: ProcFiles,
  { pid, kernels }: CellPlace,
  tid: number,
  monoMs: () => number,
  before: ReadonlyMap<string, Counters>,
  now: Map<string, Counters>,
): Promise<ThreadUsage | undefined> {
  const [stat, sched] = await Promise.all([files.stat(pid, tid), files.schedstat(pid, tid)]);
  // It ended between the listing and the reading.
  if (!stat) return undefined;
  const counters = { atMono: monoMs(), cpuMs: sched?.cpuMs ?? stat.cpuMs, runDelayMs: sched?.runDelayMs ?? null };
  const key = `${pid}/${tid}/${stat.startTicks}`;
  now.set(key, counters);
  return {
    tid,
    name: stat.name,
    kernel: kernels[tid] ?? null,
    state: stat.state,
    cpuMs: counters.cpuMs,
    ...rates(before.get(key), counters),
  };
}

/** Differences of two readings as rates. Pure. */
function rates(
  before: Counters | undefined,
  now: Counters,
): { cpuPercent: number | null; runDelayMsPerS: number | null } {
  const elapsedMs = before ? now.atMono - before.atMono : 0;
  if (!before || elapsedMs <= 0) return { cpuPercent: null, runDelayMsPerS: null };
  const runDelayMs =
    now.runDelayMs === null || before.runDelayMs === null ? null : Math.max(0, now.runDelayMs - before.runDelayMs);
  return {
    cpuPercent: (Math.max(0, now.cpuMs - before.cpuMs) / elapsedMs) * 100,
    runDelayMsPerS: runDelayMs === null ? null : (runDelayMs / elapsedMs) * 1000,
  };
}
