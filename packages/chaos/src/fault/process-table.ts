import { existsSync, readdirSync, readFileSync } from 'node:fs';

/** Length of a tick of `/proc/<pid>/stat`: USER_HZ is 100 on every Linux that Node runs on. */
export const TICK_MS = 10;

export interface ThreadView {
  /** As the operating system calls it: `R` runs or wants to, `S` sleeps until something happens, `D` waits for a disk, ... */
  state: string;
  /** CPU time since it started, ms. */
  cpuMs: number;
}

/** One thread as the operating system sees it; null when the thread is gone or the machine has no `/proc`. */
export function threadView(pid: number, tid: number): ThreadView | null {
  try {
    const fields = fieldsOf(readFileSync(`/proc/${pid}/task/${tid}/stat`, 'utf8'));
    return { state: fields[0]!, cpuMs: cpuMsOf(fields) };
  } catch {
    return null;
  }
}

/** Fields after the name, which may itself hold spaces and parentheses: state is the first, utime the 12th, stime the 13th. */
function fieldsOf(stat: string): string[] {
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

function cpuMsOf(fields: readonly string[]): number {
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

/** CPU time of one thread since it started, ms; null when the thread is gone or the machine has no `/proc`. */
export function threadCpuMs(pid: number, tid: number): number | null {
  return threadView(pid, tid)?.cpuMs ?? null;
}

/** Memory that a process holds in RAM, bytes; null when it is gone or the machine has no `/proc`. */
export function processRssBytes(pid: number): number | null {
  try {
    const kB = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return kB === undefined ? null : Number(kB) * 1024;
  } catch {
    return null;
  }
}

export function threadExists(pid: number, tid: number): boolean {
  return existsSync(`/proc/${pid}/task/${tid}`);
}

/** Whether a process is there and is not merely waiting to be reaped. */
export function processExists(pid: number): boolean {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return !['Z', 'X'].includes(text[text.lastIndexOf(')') + 2]!);
  } catch {
    return false;
  }
}

/** How a thread stands, and how long it has waited for a processor since it started, ms; null when it is gone, or the machine does not tell. */
export function threadWait(pid: number, tid: number): { state: string; runDelayMs: number } | null {
  try {
    const waited = readFileSync(`/proc/${pid}/task/${tid}/schedstat`, 'latin1').split(' ')[1];
    const state = threadView(pid, tid)?.state;
    return state === undefined ? null : { state, runDelayMs: Number(waited) / 1e6 };
  } catch {
    return null;
  }
}

/** CPU time of processes and of all that descend from them, by process id, ms since each started. Empty where there is no `/proc`. */
export function familyCpuMs(ancestors: readonly number[]): Map<number, number> {
  const parents = new Map<number, number>();
  const cpuMs = new Map<number, number>();
  for (const name of processNames()) {
    try {
      const fields = fieldsOf(readFileSync(`/proc/${name}/stat`, 'latin1'));
      parents.set(Number(name), Number(fields[1]));
      cpuMs.set(Number(name), cpuMsOf(fields));
    } catch {
      // It has ended meanwhile.
    }
  }
  const belongs = (pid: number | undefined): boolean =>
    pid !== undefined && pid > 1 && (ancestors.includes(pid) || belongs(parents.get(pid)));
  return new Map([...cpuMs].filter(([pid]) => belongs(pid)));
}

function processNames(): string[] {
  try {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    return [];
  }
}

export interface MachineCpu {
  busy: number;
  total: number;
  /** What the host of a virtual machine gave to others while it wanted to run, of all cores together, ms. */
  stolenMs: number;
}

/** Ticks of all cores since the machine booted, from `/proc/stat`. */
export function machineCpu(): MachineCpu | null {
  try {
    const [, ...fields] = readFileSync('/proc/stat', 'utf8').split('\n', 1)[0]!.trim().split(/\s+/);
    const ticks = fields.slice(0, 8).map(Number);
    const total = ticks.reduce((sum, value) => sum + value, 0);
    // idle and iowait
    return { busy: total - ticks[3]! - ticks[4]!, total, stolenMs: (ticks[7] ?? 0) * TICK_MS };
  } catch {
    return null;
  }
}
