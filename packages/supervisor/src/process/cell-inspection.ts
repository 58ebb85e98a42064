import { readFileSync } from 'node:fs';

/** What the machine says about a process without its help. */
export interface Inspection {
  /** Stopped by a signal or a debugger: it does not run at all. */
  stopped: boolean;
  /** CPU and waiting time of its main thread since it started, ms; null where /proc does not tell. */
  main: { cpuMs: number; runDelayMs: number } | null;
}

/** Looks at a process from outside. One that is gone, or a machine without /proc, says nothing. */
export function inspectProcess(pid: number): Inspection {
  return { stopped: /^[tT]$/.test(stateOf(pid)), main: mainThreadOf(pid) };
}

/** Wakes a process that was stopped. */
export function continueProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGCONT');
  } catch {
    // It ended in this moment, and that is noticed elsewhere.
  }
}

function stateOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2, stat.lastIndexOf(')') + 3);
  } catch {
    return '';
  }
}

function mainThreadOf(pid: number): Inspection['main'] {
  try {
    const [run, wait] = readFileSync(`/proc/${pid}/task/${pid}/schedstat`, 'latin1').split(' ');
    return { cpuMs: Number(run) / 1e6, runDelayMs: Number(wait) / 1e6 };
  } catch {
    return null;
  }
}
