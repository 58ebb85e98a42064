import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type CgroupPaths,
  type Pressure,
  type ProcStat,
  parseCgroup,
  parseCpuMax,
  parseCpuQuota,
  parseMeminfo,
  parseMemoryLimit,
  parseOpenFilesLimit,
  parsePressure,
  parseRss,
  parseSchedstat,
  parseStat,
} from './parse.ts';

export interface CgroupLimits {
  version: 1 | 2 | null;
  /** Cores; null = no limit, or none that can be read. */
  cpuCores: number | null;
  memoryBytes: number | null;
  memoryUsedBytes: number | null;
}

/** Where the machine tells of itself. Undefined = not there, or not to be read by this user. */
export interface ProcFiles {
  stat(pid: number, tid?: number): Promise<ProcStat | undefined>;
  schedstat(pid: number, tid: number): Promise<{ cpuMs: number; runDelayMs: number } | undefined>;
  threads(pid: number): Promise<number[] | undefined>;
  rssBytes(pid: number): Promise<number | undefined>;
  descriptors(pid: number): Promise<{ open: number; limit: number } | undefined>;
  memory(): Promise<{ totalBytes: number; availableBytes: number } | undefined>;
  pressure(resource: 'cpu' | 'memory' | 'io'): Promise<Pressure | undefined>;
  /** Load of the last minute: tasks running or ready to run. */
  load(): Promise<number | undefined>;
  cgroup(): Promise<CgroupLimits>;
}

/** @param proc where procfs is mounted, @param sys where sysfs is */
export function createProcFiles(proc: string, sys: string): ProcFiles {
  const read = async (...path: string[]): Promise<string | undefined> => {
    try {
      return await readFile(join(...path), 'utf8');
    } catch {
      return undefined;
    }
  };
  const parsed = async <T>(parse: (text: string) => T | undefined, ...path: string[]): Promise<T | undefined> => {
    const text = await read(proc, ...path);
    return text === undefined ? undefined : parse(text);
  };
  return {
    stat: (pid, tid) =>
      tid === undefined ? parsed(parseStat, `${pid}`, 'stat') : parsed(parseStat, `${pid}`, 'task', `${tid}`, 'stat'),
    schedstat: (pid, tid) => parsed(parseSchedstat, `${pid}`, 'task', `${tid}`, 'schedstat'),
    async threads(pid) {
      const names = await list(join(proc, `${pid}`, 'task'));
      return names?.map(Number).filter(Number.isInteger);
    },
    rssBytes: (pid) => parsed(parseRss, `${pid}`, 'status'),
    async descriptors(pid) {
      const [names, limit] = await Promise.all([
        list(join(proc, `${pid}`, 'fd')),
        parsed(parseOpenFilesLimit, `${pid}`, 'limits'),
      ]);
      return names === undefined || limit === undefined ? undefined : { open: names.length, limit };
    },
    memory: () => parsed(parseMeminfo, 'meminfo'),
    pressure: (resource) => parsed(parsePressure, 'pressure', resource),
    load: () => parsed((text) => (/^\d/.test(text) ? Number.parseFloat(text) : undefined), 'loadavg'),
    async cgroup() {
      const paths = await parsed(parseCgroup, 'self', 'cgroup');
      return paths ? limits(paths, join(sys, 'fs', 'cgroup'), read) : NO_LIMITS;
    },
  };
}

const NO_LIMITS: CgroupLimits = { version: null, cpuCores: null, memoryBytes: null, memoryUsedBytes: null };

type Read = (...path: string[]) => Promise<string | undefined>;

/** The tightest limit on the way from the process's own group up to the root counts: a parent's limit binds its children. */
async function limits(paths: CgroupPaths, root: string, read: Read): Promise<CgroupLimits> {
  const isUnified = paths.unified !== undefined && (await read(root, 'cgroup.controllers')) !== undefined;
  if (isUnified) {
    const chain = ancestors(paths.unified!);
    return {
      version: 2,
      cpuCores: await tightest(chain, async (path) => parsedOr(parseCpuMax, await read(root, path, 'cpu.max'))),
      memoryBytes: await tightest(chain, async (path) =>
        parsedOr(parseMemoryLimit, await read(root, path, 'memory.max')),
      ),
      memoryUsedBytes: numberOr(await read(root, paths.unified!, 'memory.current')),
    };
  }
  if (Object.keys(paths.controllers).length === 0) return NO_LIMITS;
  const cpu = paths.controllers['cpu'] ?? '/';
  const memory = paths.controllers['memory'] ?? '/';
  return {
    version: 1,
    cpuCores: await tightest(ancestors(cpu), async (path) => {
      const [quota, period] = await Promise.all([
        read(root, 'cpu', path, 'cpu.cfs_quota_us'),
        read(root, 'cpu', path, 'cpu.cfs_period_us'),
      ]);
      return quota === undefined || period === undefined ? null : (parseCpuQuota(quota, period) ?? null);
    }),
    memoryBytes: await tightest(ancestors(memory), async (path) =>
      parsedOr(parseMemoryLimit, await read(root, 'memory', path, 'memory.limit_in_bytes')),
    ),
    memoryUsedBytes: numberOr(await read(root, 'memory', memory, 'memory.usage_in_bytes')),
  };
}

/** `/a/b` -> `/a/b`, `/a`, `/` */
function ancestors(path: string): string[] {
  const parts = path.split('/').filter((part) => part !== '');
  return Array.from({ length: parts.length + 1 }, (_, i) => `/${parts.slice(0, parts.length - i).join('/')}`);
}

async function tightest(chain: string[], limitAt: (path: string) => Promise<number | null>): Promise<number | null> {
  const found = (await Promise.all(chain.map(limitAt))).filter((limit) => limit !== null);
  return found.length === 0 ? null : Math.min(...found);
}

function parsedOr(parse: (text: string) => number | null | undefined, text: string | undefined): number | null {
  return text === undefined ? null : (parse(text) ?? null);
}

function numberOr(text: string | undefined): number | null {
  const value = Number(text);
  return text === undefined || !Number.isFinite(value) ? null : value;
}

async function list(path: string): Promise<string[] | undefined> {
  try {
    return await readdir(path);
  } catch {
    return undefined;
  }
}
