import { mkdir, realpath, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { GraceError } from '@grace/contracts';
import type { Outcome } from '../runs/runner.ts';
import { type ChildEnd, runChild } from './child.ts';
import { composeLaunch, type Isolation, type Launch } from './launch.ts';
import { findMechanisms, type Mechanisms } from './mechanisms.ts';
import type { ExecuteRequest } from './request.ts';

/** What a failed program is shown with in its record. */
const ERROR_LENGTH = 300;

export interface Executed {
  exitCode: number | null;
  signal: string | null;
  stdout: string;
  stderr: string;
  isTruncated: boolean;
  peakBytes: number;
  peakProcesses: number;
  isolation: Isolation;
}

export type Executor = ReturnType<typeof createExecutor>;

/** Commands in a process of their own, each in a folder that is made for it and removed after it. */
export function createExecutor(runsDir: string, mayUnshare: boolean) {
  let tried: Promise<Mechanisms> | undefined;
  const mechanisms = (): Promise<Mechanisms> => {
    tried ??= findMechanisms(mayUnshare).catch((error) => {
      tried = undefined;
      throw error;
    });
    return tried;
  };

  return {
    mechanisms,
    /**
     * How the request would run.
     * @throws GraceError `SANDBOX_ISOLATION` when something would not hold and the caller does not accept that
     */
    async plan(request: ExecuteRequest, id: string): Promise<Launch> {
      const launch = composeLaunch(request, await folderOf(runsDir, id), await mechanisms());
      const { weak } = launch.isolation;
      if (weak.length > 0 && !request.acceptsWeak) {
        throw new GraceError(
          'SANDBOX_ISOLATION',
          `${request.command}: ${weak.join(', ')} would not be confined on this machine; status says why, "isolation": "weak" accepts it`,
          { weak },
        );
      }
      return launch;
    },
    async execute(
      request: ExecuteRequest,
      launch: Launch,
      signal: AbortSignal,
      onPid: (pid: number, start: number | null) => void,
    ): Promise<Outcome<Executed>> {
      const folder = launch.env['HOME']!;
      const { limits, stdin } = request;
      try {
        await prepare(folder, request.files);
        const end = await runChild(launch, { folder, stdin, limits, signal, onPid });
        return outcome(end, launch.isolation, limits.timeoutMs);
      } catch (error) {
        const { code, message } = error as NodeJS.ErrnoException;
        if (error instanceof GraceError) throw error;
        throw new GraceError(
          'SANDBOX_ERROR',
          `${request.command} could not be started: ${code ?? message}`,
          {},
          { cause: error },
        );
      } finally {
        await rm(folder, { recursive: true, force: true, maxRetries: 3 });
      }
    },
  };
}

/** Links in the path of the home are resolved: Node compares the paths it permits by their text. */
export async function folderOf(runsDir: string, id: string): Promise<string> {
  await mkdir(runsDir, { recursive: true, mode: 0o700 });
  return join(await realpath(runsDir), id);
}

async function prepare(folder: string, files: ReadonlyMap<string, string>): Promise<void> {
  await mkdir(folder, { mode: 0o700 });
  await mkdir(join(folder, 'tmp'), { mode: 0o700 });
  for (const [path, text] of files) {
    await mkdir(dirname(join(folder, path)), { recursive: true, mode: 0o700 });
    await writeFile(join(folder, path), text, { mode: 0o600, flag: 'wx' });
  }
}

function outcome(end: ChildEnd, isolation: Isolation, timeoutMs: number): Outcome<Executed> {
  const { reason, outputBytes, ...answer } = end;
  const { exitCode, signal, isTruncated, stderr } = answer;
  const facts = { exitCode, signal, outputBytes, isTruncated, answer: { ...answer, isolation } };
  // V8 ends the process itself when its heap is full.
  const isHeapFull = exitCode !== 0 && /out of memory/.test(stderr) && /^#?\s*Fatal|FATAL ERROR/m.test(stderr);
  if (reason === 'timeout') return { ...facts, state: 'timeout', error: `not done after ${timeoutMs} ms` };
  if (reason === 'cancelled') return { ...facts, state: 'cancelled', error: 'ended before it was done' };
  if (reason === 'output') return { ...facts, state: 'output', error: 'wrote more than it may' };
  if (reason === 'processes') return { ...facts, state: 'processes', error: `had ${end.peakProcesses} processes` };
  if (reason === 'disk') return { ...facts, state: 'disk', error: 'its folder holds more than it may' };
  if (reason === 'memory' || isHeapFull)
    return { ...facts, state: 'memory', error: reason ? `held ${end.peakBytes} bytes` : 'its heap is full' };
  if (exitCode === 0) return { ...facts, state: 'ok' };
  const said = stderr.split('\n').find((line) => /error/i.test(line)) ?? stderr.trim().split('\n').at(-1) ?? '';
  return { ...facts, state: 'failed', error: said.slice(0, ERROR_LENGTH) || null };
}
