import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, open, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { EXIT_STORAGE_FULL, fromWireError, GraceError, HOME, type SystemPlan, type WireError } from '@grace/contracts';
import type { ControlClient } from '@grace/control';
import { lives, readOwner } from '@grace/control/owner';
import { connect } from './connect.ts';
import { HOME_MARK, identify, isRunning, type ProcessId } from './processes.ts';

/** A system that this process started. It has a session of its own: Ctrl-C reaches the command line alone, which then drains. */
export interface Launched {
  /** The process that was started: it starts the supervisor, again when need be, and ends when the system does. */
  guardian: ProcessId;
  /** The first supervisor. */
  supervisor: ProcessId;
  client: ControlClient;
  /** Resolves when the system has ended; never rejects. */
  ended: Promise<{ code: number | null; signal: string | null }>;
  /** What the supervisor wrote to its standard streams since it started: its last lines. */
  lastWords(): Promise<string>;
  /** Lets the command line end without the supervisor. */
  leave(): void;
}

/** From the start of the supervisor to its first answer on the control socket, ms. */
const ANSWER_DEADLINE_MS = 15_000;

/**
 * Starts the supervisor of a plan, under its guardian, and connects to it.
 * @throws GraceError `HOME_TAKEN`, `HOME_UNUSABLE`, `DEADLINE`, or what the supervisor gave as its reason to end
 */
export async function launch(plan: SystemPlan, name = 'cli'): Promise<Launched> {
  await refuseTaken(plan.home);
  const planFile = await writePlan(plan);
  const log = await openLog(plan.home);
  const from = (await log.stat()).size;
  const child = spawn(
    process.execPath,
    [plan.entries.guardian, '--home', plan.home, '--supervisor', plan.entries.supervisor, '--plan', planFile],
    {
      detached: true,
      stdio: ['ignore', log.fd, log.fd],
      env: { ...process.env, [HOME_MARK]: plan.home },
    },
  );
  const ended = endOf(child, plan.home);
  await log.close();
  const lastWords = (): Promise<string> => tail(plan.home, from);
  if (child.pid === undefined) {
    throw new GraceError(
      'HOME_UNUSABLE',
      `the supervisor could not be started: ${(await ended).signal ?? 'no process'}`,
    );
  }
  const guardian = identify(child.pid);
  try {
    const client = await answerOf(plan.home, guardian, ended, lastWords, name);
    const supervisor = identify(client.supervisor.pid);
    return { guardian, supervisor, client, ended, lastWords, leave: () => child.unref() };
  } catch (error) {
    // It takes its supervisor along.
    if (isRunning(guardian)) process.kill(guardian.pid, 'SIGTERM');
    throw error;
  }
}

async function refuseTaken(home: string): Promise<void> {
  try {
    const client = await connect(home);
    const { pid } = client.supervisor;
    client.close();
    throw new GraceError('HOME_TAKEN', `a system is running in ${home} already (pid ${pid})`, { home, pid });
  } catch (error) {
    if (!(error instanceof GraceError) || error.code !== 'NOT_RUNNING') throw error;
  }
}

async function writePlan(plan: SystemPlan): Promise<string> {
  const file = join(plan.home, HOME.plan);
  const fresh = `${file}.${process.pid}`;
  try {
    await mkdir(dirname(file), { recursive: true, mode: 0o700 });
    await writeFile(fresh, JSON.stringify(plan), { mode: 0o600 });
    await rename(fresh, file);
  } catch (error) {
    await rm(fresh, { force: true }).catch(() => {});
    throw unusable(plan.home, error);
  }
  return file;
}

async function openLog(home: string) {
  try {
    await mkdir(join(home, HOME.logs), { recursive: true, mode: 0o700 });
    return await open(join(home, HOME.logs, 'supervisor.log'), 'a+', 0o600);
  } catch (error) {
    throw unusable(home, error);
  }
}

function unusable(home: string, error: unknown): GraceError {
  const { code, message } = error as NodeJS.ErrnoException;
  return new GraceError(code === 'ENOSPC' ? 'STORAGE_FULL' : 'HOME_UNUSABLE', `cannot use ${home}: ${message}`, {
    home,
  });
}

/** The end of the guardian is the system's, unless the guardian was killed: then its supervisor has started another one. */
async function endOf(child: ChildProcess, home: string): Launched['ended'] {
  const end = await new Promise<Awaited<Launched['ended']>>((resolve) => {
    child.once('exit', (code, signal) => resolve({ code, signal }));
    child.once('error', (error) => resolve({ code: null, signal: error.message }));
  });
  if (end.signal === null || !hasOwner(home)) return end;
  while (hasOwner(home)) await sleep(100);
  // A stop takes the plan away; whose child the supervisor was last knows its exit code, and that was not this process.
  return existsSync(join(home, HOME.plan)) ? end : { code: 0, signal: null };
}

/** Whether a supervisor or a guardian lives in the home. */
function hasOwner(home: string): boolean {
  return [HOME.lock, HOME.guardian].some((file) => {
    const owner = readOwner(join(home, file));
    return owner !== undefined && lives(owner);
  });
}

async function answerOf(
  home: string,
  guardian: ProcessId,
  ended: Launched['ended'],
  lastWords: () => Promise<string>,
  name: string,
): Promise<ControlClient> {
  let end: Awaited<Launched['ended']> | undefined;
  void ended.then((value) => {
    end = value;
  });
  const until = performance.now() + ANSWER_DEADLINE_MS;
  while (performance.now() < until) {
    if (end) throw endedEarly(end, await lastWords());
    try {
      const client = await connect(home, name);
      if ((await client.request('status', {})).system.guardianPid === guardian.pid) return client;
      client.close();
      // Two boots at once: the other one was faster, and ours ends by itself.
      if (!isRunning(guardian)) {
        throw new GraceError('HOME_TAKEN', `a system is running in ${home} already (pid ${client.supervisor.pid})`);
      }
    } catch (error) {
      if (!(error instanceof GraceError) || !['NOT_RUNNING', 'CONNECTION_CLOSED'].includes(error.code)) throw error;
    }
    await sleep(20);
  }
  throw new GraceError(
    'DEADLINE',
    `the supervisor (of guardian ${guardian.pid}) did not answer within ${ANSWER_DEADLINE_MS} ms`,
  );
}

/** The error a supervisor's end stands for: the reason it wrote as its last line, or how it ended. */
export function endedEarly(end: { code: number | null; signal: string | null }, words: string): GraceError {
  for (const line of words.split('\n').reverse()) {
    if (!line.startsWith('{"grace":"supervisor"')) continue;
    const { error } = JSON.parse(line) as { error: WireError };
    return fromWireError(error);
  }
  // On a full disk the supervisor has nowhere to write its reason, so its exit code is the reason.
  if (end.code === EXIT_STORAGE_FULL)
    return new GraceError('STORAGE_FULL', 'the disk of the home is full: the system could not start');
  const how = end.signal ? `was ended by ${end.signal}` : `ended with exit code ${end.code}`;
  return new GraceError(
    'CONNECTION_CLOSED',
    `the supervisor ${how}${words === '' ? '' : `; its last words:\n${words}`}`,
  );
}

const TAIL_BYTES = 4000;

async function tail(home: string, from: number): Promise<string> {
  const log = await open(join(home, HOME.logs, 'supervisor.log'), 'r').catch(() => undefined);
  if (!log) return '';
  try {
    const { size } = await log.stat();
    const start = Math.max(from, size - TAIL_BYTES);
    if (size <= start) return '';
    const { buffer, bytesRead } = await log.read(Buffer.alloc(size - start), 0, size - start, start);
    return buffer.toString('utf8', 0, bytesRead).trim().split('\n').slice(-20).join('\n');
  } finally {
    await log.close();
  }
}
