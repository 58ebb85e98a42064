import { statfs } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import type { StatusDocument } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';
import { RESOURCES, type Reading, type Resource, readings } from './pressure.ts';
import { ownThread } from './probe.ts';
import type { ProcFiles } from './proc/files.ts';
import { CALM, type Level, type PressureState, step, type Thresholds } from './threshold.ts';
import { type CellPlace, type CellUsage, createUsageReader } from './usage.ts';

export interface Sample {
  atMono: number;
  /** False when the supervisor did not say which processes there are: then only the own one was read. */
  complete: boolean;
  cells: CellUsage[];
  readings: Record<Resource, Reading>;
}

export interface PressureChange {
  resource: Resource;
  from: string;
  to: string;
  value: number;
  source: string;
  thresholds: Thresholds;
}

/** Takes samples, and follows the level of each resource. */
export interface Sampler {
  take(): Promise<{ sample: Sample; changes: PressureChange[] }>;
  last(): Sample | null;
  /** `unknown` where nothing was measured: before the first sample, or because the machine does not tell. */
  levels(): Record<Resource, Level | 'unknown'>;
  places(): Promise<{ complete: boolean; places: CellPlace[]; home: string }>;
}

export function createSampler(
  ctx: KernelContext,
  files: ProcFiles,
  proc: string,
  thresholds: () => Readonly<Record<Resource, Thresholds>>,
): Sampler {
  const usage = createUsageReader(files, () => ctx.clock.monoMs());
  const tid = process.platform === 'linux' ? ownThread(proc) : 0;
  const levels = Object.fromEntries(RESOURCES.map((name) => [name, CALM])) as Record<Resource, PressureState>;
  let last: Sample | null = null;

  const places: Sampler['places'] = async () => {
    try {
      const status = (await ctx.supervisor.command('status', {}, 2000)) as StatusDocument;
      return { complete: true, places: placesOf(status), home: status.system.home };
    } catch (error) {
      ctx.log.debug('the supervisor did not answer; only the own process is read', { error: (error as Error).message });
      return {
        complete: false,
        places: [{ cell: 'own', pid: process.pid, kernels: { [tid]: ctx.id } }],
        home: ctx.stateDir,
      };
    }
  };

  return {
    places,
    last: () => last,
    levels() {
      const known = RESOURCES.map((name) => {
        const isMeasured = last !== null && last.readings[name].value !== null;
        return [name, isMeasured ? levels[name].level : 'unknown'];
      });
      return Object.fromEntries(known);
    },
    async take() {
      const { complete, places: found, home } = await places();
      const cells = await usage.read(found);
      const [memory, cpuPressure, memoryPressure, load, cgroup, disk] = await Promise.all([
        files.memory(),
        files.pressure('cpu'),
        files.pressure('memory'),
        files.load(),
        files.cgroup(),
        diskOf(home),
      ]);
      const cores = Math.min(availableParallelism(), cgroup.cpuCores ?? Infinity);
      const read = readings({ cores, load, cpuPressure, memoryPressure, memory, cgroup, disk, cells });
      const changes: PressureChange[] = [];
      for (const resource of RESOURCES) {
        const { value, source } = read[resource];
        if (value === null) continue;
        const before = levels[resource];
        const limits = thresholds()[resource];
        levels[resource] = step(before, value, limits);
        const { level } = levels[resource];
        if (level !== before.level)
          changes.push({ resource, from: before.level, to: level, value, source, thresholds: limits });
      }
      last = { atMono: ctx.clock.monoMs(), complete, cells, readings: read };
      return { sample: last, changes };
    },
  };
}

function placesOf(status: StatusDocument): CellPlace[] {
  return status.cells.flatMap(({ id, pid }) => {
    if (pid === null) return [];
    const own = status.kernels.filter((kernel) => kernel.cell === id && kernel.tid !== null);
    return [{ cell: id, pid, kernels: Object.fromEntries(own.map((kernel) => [kernel.tid!, kernel.id])) }];
  });
}

async function diskOf(path: string): Promise<{ totalBytes: number; freeBytes: number } | undefined> {
  try {
    const { blocks, bavail, bsize } = await statfs(path);
    return { totalBytes: blocks * bsize, freeBytes: bavail * bsize };
  } catch {
    return undefined;
  }
}
