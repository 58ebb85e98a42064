/**
 * The guardian: a process that does nothing but start the supervisor again when it dies, so it imports next to nothing. It starts the
 * supervisor as its child, or watches one (`--watch PID`) that lost its guardian and holds the other end of standard input.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { EXIT_STORAGE_FULL, HOME } from '@grace/contracts';
import { lives, type Owner, ownerOf, readOwner, thisProcess } from '@grace/control/owner';
import { createRestarts } from './restarts.ts';

const { values } = parseArgs({
  options: {
    home: { type: 'string' },
    supervisor: { type: 'string' },
    plan: { type: 'string' },
    watch: { type: 'string' },
  },
});
const home = values.home!;
const planFile = values.plan!;
const restarts = createRestarts();
process.title = 'grace-guardian';

/** How often a supervisor that is no child is looked at once its pipe has ended, ms. */
const LOOK_MS = 10;

let watched: Owner | undefined;
let waiting: NodeJS.Timeout | undefined;
let told = false;

const sign = join(home, HOME.guardian);
try {
  writeFileSync(`${sign}.${process.pid}`, JSON.stringify(thisProcess()), { mode: 0o600 });
  renameSync(`${sign}.${process.pid}`, sign);
} catch (error) {
  refuse(error as NodeJS.ErrnoException);
}
process.on('exit', () => {
  if (readOwner(sign)?.pid === process.pid) rmSync(sign, { force: true });
});

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  process.on(signal, () => {
    told = true;
    clearTimeout(waiting);
    if (!watched || !lives(watched)) process.exit(0);
    process.kill(watched.pid, signal);
  });
}

if (values.watch === undefined) start('');
else {
  watched = ownerOf(Number(values.watch));
  process.stdin.on('end', untilGone).on('error', untilGone).resume();
}

/** The home cannot be written: said as a supervisor says it, to whoever started this. A full disk is an exit code as well. */
function refuse({ code, message }: NodeJS.ErrnoException): never {
  rmSync(`${sign}.${process.pid}`, { force: true });
  // Nobody will run it: the supervisor that takes it away at its end was never started.
  if (values.watch === undefined) rmSync(planFile, { force: true });
  const full = code === 'ENOSPC';
  const error = { code: full ? 'STORAGE_FULL' : 'HOME_UNUSABLE', message: `${home} cannot be used: ${message}` };
  process.stderr.write(`${JSON.stringify({ grace: 'supervisor', error })}\n`);
  process.exit(full ? EXIT_STORAGE_FULL : 1);
}

/** `ended`: how the one before ended; empty for the first. */
function start(ended: string): void {
  const resume = ended === '' ? [] : ['--resume', '--restarts', String(restarts.count), '--ended', ended];
  const child: ChildProcess = spawn(
    process.execPath,
    [
      '--disable-warning=ExperimentalWarning',
      values.supervisor!,
      '--plan',
      planFile,
      '--guardian',
      String(process.pid),
      ...resume,
    ],
    { stdio: ['ignore', 'inherit', 'inherit'] },
  );
  watched = child.pid === undefined ? undefined : ownerOf(child.pid);
  const { pid } = child;
  child.once('error', (error) => afterEnd(pid, null, error.message));
  child.once('exit', (code, signal) => afterEnd(pid, code, signal ?? `exit code ${code}`));
}

/** The pipe of a process ends a moment before the process does. */
function untilGone(): void {
  if (watched && lives(watched)) setTimeout(untilGone, LOOK_MS);
  else afterEnd(watched?.pid, null, 'not known: it was no child of its guardian');
}

function afterEnd(pid: number | undefined, code: number | null, ended: string): void {
  if (told || isOver(pid, code)) process.exit(code ?? (values.watch === undefined ? 1 : 0));
  const delayMs = restarts.next(performance.now());
  if (delayMs === null) {
    say(`the supervisor ended ${restarts.count} times within a minute, last by ${ended}; it is not started again`);
    process.exit(1);
  }
  say(`the supervisor (pid ${pid}) ended: ${ended}; it is started again`);
  waiting = setTimeout(() => start(ended), delayMs);
}

/**
 * Whether the system has ended rather than its supervisor died: one that stops takes its plan away, and one that could not start has never
 * had the lock. Somebody else's living supervisor is left alone.
 */
function isOver(pid: number | undefined, code: number | null): boolean {
  const owner = readOwner(join(home, HOME.lock));
  if (code === 0 || (owner && owner.pid !== pid && lives(owner))) return true;
  if (!existsSync(planFile)) return true;
  return code !== null && restarts.count === 0 && owner?.pid !== pid;
}

/** Standard error is the supervisor's log file. */
function say(message: string): void {
  process.stderr.write(`${JSON.stringify({ grace: 'guardian', at: new Date().toISOString(), message })}\n`);
}
