import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { GraceError, HOME } from '@grace/contracts';

/** A process that cannot be mistaken for a later one of the same pid. */
export interface Owner {
  pid: number;
  /** Start time of the process in clock ticks since boot: a pid that was given to another process is not the owner. */
  startTicks: string;
}

/**
 * Takes the home for this process. A lock whose owner is dead is taken over.
 * @throws GraceError `HOME_TAKEN` naming the owner's pid, `HOME_UNUSABLE` when the folder cannot be written
 */
export function lockHome(home: string): { release(): void } {
  const path = join(home, HOME.lock);
  const me = thisProcess();
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    for (let attempt = 0; ; attempt++) {
      try {
        writeFileSync(path, JSON.stringify(me), { flag: 'wx', mode: 0o600 });
        return { release: () => release(path, me) };
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EEXIST' || attempt > 3) throw error;
        const owner = readOwner(path);
        if (owner && lives(owner)) {
          throw new GraceError(
            'HOME_TAKEN',
            `the system with pid ${owner.pid} runs in ${home}; stop it first (grace stop), or choose another --home`,
            { pid: owner.pid, home },
          );
        }
        rmSync(path, { force: true });
      }
    }
  } catch (error) {
    if (error instanceof GraceError) throw error;
    throw new GraceError('HOME_UNUSABLE', `${home} cannot be used: ${(error as Error).message}`, { home });
  }
}

export function thisProcess(): Owner {
  return { pid: process.pid, startTicks: startTicks(process.pid) ?? '' };
}

export function lives(owner: Owner): boolean {
  return startTicks(owner.pid) === owner.startTicks;
}

function release(path: string, me: Owner): void {
  const owner = readOwner(path);
  if (owner?.pid === me.pid && owner.startTicks === me.startTicks) rmSync(path, { force: true });
}

export function readOwner(path: string): Owner | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Owner;
  } catch {
    return undefined;
  }
}

/** Field 22 of /proc/<pid>/stat; undefined when there is no such process any more. Elsewhere than on Linux a live pid is enough. */
function startTicks(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
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
