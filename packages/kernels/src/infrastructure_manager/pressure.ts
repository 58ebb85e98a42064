import type { CgroupLimits } from './proc/files.ts';
import type { Pressure } from './proc/parse.ts';
import type { Thresholds } from './threshold.ts';
import type { CellUsage } from './usage.ts';

export const RESOURCES = ['cpu', 'memory', 'memory_stall', 'disk', 'descriptors'] as const;
export type Resource = (typeof RESOURCES)[number];

/** One resource's share in use, 0..1, and how that is known. Null = cannot be told on this machine. */
export interface Reading {
  value: number | null;
  source: string;
  detail: Record<string, unknown>;
}

export interface Measured {
  cores: number;
  load: number | undefined;
  cpuPressure: Pressure | undefined;
  memoryPressure: Pressure | undefined;
  memory: { totalBytes: number; availableBytes: number } | undefined;
  cgroup: CgroupLimits;
  disk: { totalBytes: number; freeBytes: number } | undefined;
  cells: readonly CellUsage[];
}

export const THRESHOLD_DEFAULTS: Readonly<Record<Resource, Thresholds>> = {
  cpu: { raised: 0.4, high: 0.7, critical: 0.9, margin: 0.1, riseAfter: 2, fallAfter: 3 },
  memory: { raised: 0.8, high: 0.9, critical: 0.96, margin: 0.03, riseAfter: 2, fallAfter: 3 },
  memory_stall: { raised: 0.1, high: 0.3, critical: 0.6, margin: 0.05, riseAfter: 2, fallAfter: 3 },
  disk: { raised: 0.85, high: 0.93, critical: 0.97, margin: 0.01, riseAfter: 2, fallAfter: 3 },
  descriptors: { raised: 0.6, high: 0.8, critical: 0.95, margin: 0.05, riseAfter: 2, fallAfter: 3 },
};

/** Readings from what was measured. Pure. */
export function readings(measured: Measured): Record<Resource, Reading> {
  return {
    cpu: cpu(measured),
    memory: memory(measured),
    memory_stall: measured.memoryPressure
      ? {
          value: measured.memoryPressure.some,
          source: 'pressure stall information',
          detail: { ...measured.memoryPressure },
        }
      : NOT_HERE,
    disk: measured.disk
      ? {
          value: share(measured.disk.totalBytes - measured.disk.freeBytes, measured.disk.totalBytes),
          source: 'statfs of the home',
          detail: { ...measured.disk },
        }
      : NOT_HERE,
    descriptors: descriptors(measured.cells),
  };
}

const NOT_HERE: Reading = { value: null, source: 'none', detail: {} };

/**
 * Pressure stall information counts whoever waits for a CPU. Without it: the run-queue delay of our own threads (what the shortage does to us)
 * and the load beyond the cores (what it is), the greater of the two.
 */
function cpu({ cpuPressure, load, cores, cells }: Measured): Reading {
  const delays = cells.flatMap(({ threads }) => threads.flatMap(({ runDelayMsPerS }) => runDelayMsPerS ?? []));
  const worstDelay = delays.length === 0 ? null : Math.min(1, Math.max(...delays) / 1000);
  const detail = { cores, load: load ?? null, worstDelay };
  if (cpuPressure) return { value: cpuPressure.some, source: 'pressure stall information', detail };
  const excess = load === undefined ? null : Math.min(1, Math.max(0, (load - cores) / cores));
  if (excess === null && worstDelay === null) return NOT_HERE;
  return { value: Math.max(excess ?? 0, worstDelay ?? 0), source: 'load and run-queue delay', detail };
}

/** Of the machine or of the control group, whichever is nearer to its end. */
function memory({ memory: machine, cgroup }: Measured): Reading {
  const ofMachine = machine ? share(machine.totalBytes - machine.availableBytes, machine.totalBytes) : null;
  const hasLimit = cgroup.memoryBytes !== null && cgroup.memoryUsedBytes !== null;
  const ofGroup = hasLimit ? share(cgroup.memoryUsedBytes!, cgroup.memoryBytes!) : null;
  if (ofMachine === null && ofGroup === null) return NOT_HERE;
  return {
    value: Math.max(ofMachine ?? 0, ofGroup ?? 0),
    source: (ofGroup ?? 0) > (ofMachine ?? 0) ? 'control group' : 'meminfo',
    detail: { ...machine, groupUsedBytes: cgroup.memoryUsedBytes, groupLimitBytes: cgroup.memoryBytes },
  };
}

/** The process nearest to its limit. */
function descriptors(cells: readonly CellUsage[]): Reading {
  const shares = cells.flatMap(({ cell, descriptors: own }) =>
    own ? [{ cell, ...own, value: own.limit === Infinity ? 0 : share(own.open, own.limit) }] : [],
  );
  const [worst] = shares.sort((a, b) => b.value - a.value);
  if (!worst) return NOT_HERE;
  const { value, ...detail } = worst;
  return { value, source: 'limits of the process', detail };
}

function share(used: number, whole: number): number {
  return whole <= 0 ? 0 : Math.min(1, Math.max(0, used / whole));
}
