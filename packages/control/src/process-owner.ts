import { readFileSync } from 'node:fs';

/** A process that cannot be mistaken for a later one of the same pid. */
export interface Owner {
  pid: number;
  /** Start time of the process in clock ticks since boot: a pid that was given to another process is not the owner. */
  startTicks: string;
}

export function thisProcess(): Owner {
  return { pid: process.pid, startTicks: startTicks(process.pid) ?? '' };
}

/** The process of this pid as it is now; undefined when there is none. */
export function ownerOf(pid: number): Owner | undefined {
  const ticks = startTicks(pid);
  return ticks === undefined ? undefined : { pid, startTicks: ticks };
}

export function lives(owner: Owner): boolean {
  return startTicks(owner.pid) === owner.startTicks;
}

/** The owner a file names; undefined when it is not there or names none. */
export function readOwner(path: string): Owner | undefined {
  try {
    const named = JSON.parse(readFileSync(path, 'utf8')) as Partial<Owner> | null;
    return typeof named?.pid === 'number' && typeof named.startTicks === 'string' ? (named as Owner) : undefined;
  } catch {
    return undefined;
  }
}

/** Field 22 of /proc/<pid>/stat; undefined when there is no such process any more. Elsewhere than on Linux a live pid is enough. */
function startTicks(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    // A zombie has ended; only its parent has not looked yet.
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
  } catch {
    if (process.platform === 'linux') return undefined;
    try {
      process.kill(pid, 0);
      return '';
    } catch {
      return undefined;
    }
  }
}
