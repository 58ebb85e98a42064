import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Progress, RunnerOptions } from '@grace/chaos';
import { GraceError, HOME } from '@grace/contracts';
import { HOME_MARK, identify, killAll, type ProcessId } from '../system/processes.ts';

export interface Runner {
  process: ProcessId;
  /** Resolves when the process has ended; never rejects. `error` is what it said itself. */
  ended: Promise<{ code: number | null; signal: string | null; error: Progress | undefined }>;
  /** Asks it to stop, undo its faults and say so in the journal; ends it when it does not. */
  interrupt(): void;
}

/** A run that says nothing for this long hangs: nothing in a wave takes longer, ms. */
const SILENCE_MS = 180_000;
/** To undo faults and close the run after an interruption, ms. */
const UNDO_MS = 30_000;

/** Starts the laboratory in a process and a session of its own: Ctrl-C reaches the command line alone. */
export function startRunner(dist: string, options: RunnerOptions, onProgress: (progress: Progress) => void): Runner {
  mkdirSync(join(options.home, HOME.logs), { recursive: true, mode: 0o700 });
  const file = join(options.home, 'run', `runner-${options.run}.json`);
  writeFileSync(file, JSON.stringify(options), { mode: 0o600 });
  const log = openSync(join(options.home, HOME.logs, 'runner.log'), 'a', 0o600);
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', join(dist, 'runner.js'), file], {
    detached: true,
    stdio: ['ignore', 'pipe', log],
    env: { ...process.env, [HOME_MARK]: options.home },
  });
  closeSync(log);
  if (child.pid === undefined) throw new GraceError('INTERNAL', 'the runner could not be started');
  const self = identify(child.pid);

  let error: Progress | undefined;
  let undo: NodeJS.Timeout | undefined;
  const interrupt = (): void => {
    if (undo) return;
    child.kill('SIGINT');
    undo = setTimeout(() => killAll([self]), UNDO_MS);
  };
  const silence = setTimeout(interrupt, SILENCE_MS);
  createInterface({ input: child.stdout! }).on('line', (line) => {
    silence.refresh();
    const progress = parseProgress(line);
    if (!progress) return;
    if (progress.t === 'error') error = progress;
    onProgress(progress);
  });
  const ended = new Promise<Awaited<Runner['ended']>>((resolve) => {
    child.once('error', () => resolve({ code: null, signal: null, error }));
    // `close` comes after the last line was read.
    child.once('close', (code, signal) => resolve({ code, signal, error }));
  }).finally(() => {
    clearTimeout(silence);
    clearTimeout(undo);
  });
  return { process: self, ended, interrupt };
}

function parseProgress(line: string): Progress | undefined {
  try {
    const value = JSON.parse(line) as Progress;
    return typeof value?.t === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}
