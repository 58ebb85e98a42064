import { readdirSync, readFileSync } from 'node:fs';

/** Stands in the environment of every process of a system. */
export const HOME_MARK = 'GRACE_SYSTEM_HOME';

/**
 * Ends what the kernels of a cell had started and left: a program that a kernel waits for outlives the SIGKILL of its cell. Each cell leads a
 * process group of its own, and what belongs to it carries the home in its environment, so no stranger is ever meant.
 * @returns the processes that were ended
 */
export function endRemains(leader: number, home: string): number[] {
  if (process.platform !== 'linux' || leader <= 1) return [];
  const mark = `${HOME_MARK}=${home}`;
  const found = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => pid !== leader && groupOf(pid) === leader && environmentOf(pid).includes(mark));
  for (const pid of found) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It ended in this moment.
    }
  }
  return found;
}

function groupOf(pid: number): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // After the name in parentheses: state, parent, group.
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[2]);
  } catch {
    return 0;
  }
}

function environmentOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
  } catch {
    return [];
  }
}
