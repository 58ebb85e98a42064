import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { GraceError } from '@grace/contracts';
import { identify, isRunning, type ProcessId } from '../system/processes.ts';

/** A run under way, as `grace stress --abort` finds it. */
export interface RunFile {
  run: string;
  command: ProcessId;
  runner: ProcessId | null;
  /** Home of the system under test, absolute. */
  system: string;
  /** The system was there before the run and stays. */
  attach: boolean;
}

const fileIn = (home: string): string => join(home, 'stress.json');

/** The run under way in a home; undefined when there is none, also when a dead one left its file behind and `alive` is asked for. */
export function readRunFile(home: string): RunFile | undefined {
  try {
    return JSON.parse(readFileSync(fileIn(home), 'utf8')) as RunFile;
  } catch {
    return undefined;
  }
}

/**
 * Notes that a run is under way: one at a time in a home, since two would disturb each other's measurements.
 * @throws GraceError `CONFLICT`
 */
export function takeRun(
  home: string,
  run: Omit<RunFile, 'command' | 'runner'>,
): { note(runner: ProcessId): void; release(): void } {
  const other = readRunFile(home);
  if (other && isRunning(other.command)) {
    throw new GraceError(
      'CONFLICT',
      `run ${other.run} is under way in ${home} (pid ${other.command.pid}); end it with: grace stress --abort`,
      { run: other.run, pid: other.command.pid },
    );
  }
  if (other) {
    throw new GraceError(
      'CONFLICT',
      `run ${other.run} ended without cleaning up after itself in ${home}; do that with: grace stress --abort`,
      { run: other.run },
    );
  }
  const mine: RunFile = { ...run, command: identify(process.pid), runner: null };
  const write = (flag: 'w' | 'wx'): void => writeFileSync(fileIn(home), JSON.stringify(mine), { mode: 0o600, flag });
  mkdirSync(dirname(fileIn(home)), { recursive: true, mode: 0o700 });
  write('wx');
  return {
    note: (runner) => {
      mine.runner = runner;
      write('w');
    },
    release: () => forgetRun(home),
  };
}

export function forgetRun(home: string): void {
  rmSync(fileIn(home), { force: true });
}
