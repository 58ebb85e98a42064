import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { HOME } from '@grace/contracts';
import { HOME_MARK, identify, isRunning, type ProcessId } from '../system/processes.ts';

/** Processes of the system of `home`, and of systems below it, whatever they call themselves. Empty where there is no /proc. */
export function processesOf(home: string): ProcessId[] {
  return readPids()
    .filter((pid) => {
      const marked = homeOf(pid);
      return pid !== process.pid && (marked === home || marked?.startsWith(`${home}/`));
    })
    .map(identify)
    .filter(isRunning);
}

/** What a system that has ended must not leave in its home. */
export function leftoverFiles(home: string): string[] {
  return [HOME.lock, HOME.guardian, HOME.controlSocket, HOME.busSocket, HOME.busKey].filter((file) =>
    existsSync(join(home, file)),
  );
}

function readPids(): number[] {
  try {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
  } catch {
    return [];
  }
}

function homeOf(pid: number): string | undefined {
  try {
    const entries = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
    return entries.find((entry) => entry.startsWith(`${HOME_MARK}=`))?.slice(HOME_MARK.length + 1);
  } catch {
    return undefined;
  }
}
