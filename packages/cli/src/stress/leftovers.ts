import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { HOME } from '@grace/contracts';
import { identify, isRunning, type ProcessId } from '../system/processes.ts';

/** Processes whose command line names the home: supervisor, cells and runner do. Empty where there is no /proc. */
export function processesOf(home: string): ProcessId[] {
  const pids = readPids().filter((pid) => pid !== process.pid);
  return pids
    .filter((pid) => commandLine(pid).some((word) => word === home || word.startsWith(`${home}/`)))
    .map(identify)
    .filter(isRunning);
}

/** What a system that has ended must not leave in its home. */
export function leftoverFiles(home: string): string[] {
  return [HOME.lock, HOME.controlSocket, HOME.busSocket, HOME.busKey].filter((file) => existsSync(join(home, file)));
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

function commandLine(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return [];
  }
}
