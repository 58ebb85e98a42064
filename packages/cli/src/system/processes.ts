import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { HOME } from '@grace/contracts';
import { lives, readOwner } from '@grace/control/owner';

/** Stands in the environment of every process of a system, so that they can be found whatever becomes of their parents. */
export const HOME_MARK = 'GRACE_SYSTEM_HOME';

/** A process of the operating system, told apart from a later one with the same id. */
export interface ProcessId {
  pid: number;
  /** Start time in clock ticks since the machine booted (`/proc/<pid>/stat`, field 22); undefined where that cannot be read. */
  started: string | undefined;
}

export function identify(pid: number): ProcessId {
  return { pid, started: readStat(pid)?.started };
}

/** Whether it still runs. A zombie does not: it only waits for its parent to take notice. */
export function isRunning({ pid, started }: ProcessId): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  const stat = readStat(pid);
  if (stat === undefined) return process.platform !== 'linux';
  return stat.state !== 'Z' && stat.state !== 'X' && (started === undefined || stat.started === started);
}

/** The guardian of the system in a home, when one lives. It must be ended before what it would start again. */
export function guardianOf(home: string): ProcessId[] {
  const owner = readOwner(join(home, HOME.guardian));
  return owner && lives(owner) ? [identify(owner.pid)] : [];
}

/** Waits until none of them runs; answers with those that still do at the deadline. */
export async function untilGone(processes: readonly ProcessId[], deadlineMs: number): Promise<ProcessId[]> {
  const until = performance.now() + deadlineMs;
  for (;;) {
    const left = processes.filter(isRunning);
    if (left.length === 0 || performance.now() >= until) return left;
    await sleep(25);
  }
}

/** Ends what is left, at once. */
export function killAll(processes: readonly ProcessId[]): void {
  for (const one of processes) {
    if (!isRunning(one)) continue;
    try {
      process.kill(one.pid, 'SIGKILL');
    } catch {
      // It ended in between.
    }
  }
}

function readStat(pid: number): { state: string; started: string } | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // The name, field 2, stands in parentheses and may itself hold spaces and parentheses.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0]!, started: fields[19]! };
  } catch {
    return undefined;
  }
}
