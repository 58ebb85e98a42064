/**
 * Parsers for files of Linux's /proc and of control groups: text in, numbers out; undefined for what is not there. Formats: proc(5),
 * Documentation/accounting/psi.rst, Documentation/admin-guide/cgroup-v2.rst.
 */

/** Ticks of the clock in which `stat` counts CPU time; 100 on every Linux that Node runs on (`USER_HZ`). */
const TICK_MS = 10;

export interface ProcStat {
  id: number;
  name: string;
  /** R running, S sleeping, D waiting for a disk, Z ended and not reaped, ... */
  state: string;
  cpuMs: number;
  threads: number;
  /** Ticks after the machine's boot: with the id it names one process for ever. */
  startTicks: number;
}

/** `/proc/<pid>/stat` and `/proc/<pid>/task/<tid>/stat`. The name stands in parentheses and may itself contain spaces and parentheses. */
export function parseStat(text: string): ProcStat | undefined {
  const open = text.indexOf('(');
  const close = text.lastIndexOf(')');
  if (open < 0 || close < open) return undefined;
  const fields = text
    .slice(close + 2)
    .trim()
    .split(/\s+/);
  const [state] = fields;
  const number = (position: number): number => Number(fields[position - 3]);
  const stat = {
    id: Number(text.slice(0, open)),
    name: text.slice(open + 1, close),
    state: state ?? '',
    cpuMs: (number(14) + number(15)) * TICK_MS,
    threads: number(20),
    startTicks: number(22),
  };
  const numbers = [stat.id, stat.cpuMs, stat.threads, stat.startTicks];
  return /^[A-Za-z]$/.test(stat.state) && numbers.every(Number.isFinite) ? stat : undefined;
}

/** `schedstat` of a thread: time on a CPU, and time it was ready to run but was not let, ms. */
export function parseSchedstat(text: string): { cpuMs: number; runDelayMs: number } | undefined {
  const match = /^(\d+) (\d+) (\d+)\s*$/.exec(text);
  return match ? { cpuMs: Number(match[1]) / 1e6, runDelayMs: Number(match[2]) / 1e6 } : undefined;
}

/** `VmRSS` of `/proc/<pid>/status`, bytes. */
export function parseRss(text: string): number | undefined {
  return kilobytes(text, 'VmRSS');
}

/** `/proc/meminfo`, bytes. */
export function parseMeminfo(text: string): { totalBytes: number; availableBytes: number } | undefined {
  const totalBytes = kilobytes(text, 'MemTotal');
  const availableBytes = kilobytes(text, 'MemAvailable');
  return totalBytes === undefined || availableBytes === undefined ? undefined : { totalBytes, availableBytes };
}

function kilobytes(text: string, name: string): number | undefined {
  const match = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(text);
  return match ? Number(match[1]) * 1024 : undefined;
}

export interface Pressure {
  /** Share of the last 10 s in which at least one task waited, 0..1. */
  some: number;
  /** ... in which all tasks waited; 0 where the kernel of the machine does not say. */
  full: number;
}

/** A file of `/proc/pressure`. */
export function parsePressure(text: string): Pressure | undefined {
  const share = (line: string): number | undefined => {
    const match = new RegExp(`^${line} avg10=(\\d+(?:\\.\\d+)?) `, 'm').exec(text);
    return match ? Number(match[1]) / 100 : undefined;
  };
  const some = share('some');
  return some === undefined ? undefined : { some, full: share('full') ?? 0 };
}

/** The soft limit of `Max open files` in `/proc/<pid>/limits`; Infinity when unlimited. */
export function parseOpenFilesLimit(text: string): number | undefined {
  const match = /^Max open files\s+(\S+)/m.exec(text);
  if (!match) return undefined;
  const value = match[1] === 'unlimited' ? Infinity : Number(match[1]);
  return Number.isNaN(value) ? undefined : value;
}

export interface CgroupPaths {
  /** Path in the unified hierarchy, and per controller of the first version. */
  unified: string | undefined;
  controllers: Readonly<Record<string, string>>;
}

/** `/proc/<pid>/cgroup`. */
export function parseCgroup(text: string): CgroupPaths {
  const controllers: Record<string, string> = {};
  let unified: string | undefined;
  for (const line of text.split('\n')) {
    const match = /^\d+:([^:]*):(.*)$/.exec(line);
    if (!match) continue;
    if (match[1] === '') unified = match[2];
    else for (const name of match[1]!.split(',')) controllers[name] = match[2]!;
  }
  return { unified, controllers };
}

/** `cpu.max` of version 2: cores, null when unlimited. */
export function parseCpuMax(text: string): number | null | undefined {
  const match = /^(max|\d+) (\d+)\s*$/.exec(text);
  if (!match || Number(match[2]) === 0) return undefined;
  return match[1] === 'max' ? null : Number(match[1]) / Number(match[2]);
}

/** `cpu.cfs_quota_us` and `cpu.cfs_period_us` of version 1: cores, null when unlimited. */
export function parseCpuQuota(quota: string, period: string): number | null | undefined {
  const [quotaUs, periodUs] = [Number(quota), Number(period)];
  if (quota.trim() === '' || !Number.isFinite(quotaUs) || !(periodUs > 0)) return undefined;
  return quotaUs < 0 ? null : quotaUs / periodUs;
}

/** `memory.max` of version 2 or `memory.limit_in_bytes` of version 1: bytes, null when unlimited. */
export function parseMemoryLimit(text: string): number | null | undefined {
  const trimmed = text.trim();
  if (trimmed === 'max') return null;
  if (!/^\d+$/.test(trimmed)) return undefined;
  // Version 1 says "unlimited" as the largest page-aligned 63-bit number.
  return Number(trimmed) >= 2 ** 62 ? null : Number(trimmed);
}
