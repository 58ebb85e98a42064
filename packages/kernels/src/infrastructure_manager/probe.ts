import { readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { GraceError } from '@grace/contracts';
import type { ProcFiles } from './proc/files.ts';

/** How long the CPU time of this thread may take to show in /proc, ms: the machine updates it at ticks and switches. */
const ADVANCE_MS = 500;

/**
 * Finds its own process and its own thread, and sees the thread's CPU time advance.
 * @throws GraceError `INTERNAL` saying what cannot be seen
 */
export async function probeInfrastructure(
  files: ProcFiles,
  proc: string,
  monoMs: () => number,
): Promise<Record<string, unknown>> {
  if (process.platform !== 'linux') {
    throw fault(`usage is read from Linux's /proc, and this is ${process.platform}`);
  }
  const own = await files.stat(process.pid);
  if (!own) throw fault(`${proc}/${process.pid}/stat cannot be read: the own process is not to be seen`);
  const tid = ownThread(proc);
  const tids = await files.threads(process.pid);
  if (!tids?.includes(tid)) throw fault(`the own thread ${tid} is not among the threads of process ${process.pid}`);
  const first = await threadCpuMs(files, tid);
  const untilMono = monoMs() + ADVANCE_MS;
  for (;;) {
    const now = await threadCpuMs(files, tid);
    if (now > first) return { pid: process.pid, tid, threads: tids.length, cpuMs: Math.round(now) };
    if (monoMs() > untilMono) throw fault(`the CPU time of the own thread ${tid} stands still at ${first} ms`);
  }
}

/** `/proc/thread-self` is a link to `<pid>/task/<tid>` of the thread that reads it, so it must be read in this one. */
export function ownThread(proc: string): number {
  try {
    return Number(readlinkSync(join(proc, 'thread-self')).split('/').at(-1));
  } catch (error) {
    throw fault(`${proc}/thread-self cannot be read: ${(error as Error).message}`);
  }
}

async function threadCpuMs(files: ProcFiles, tid: number): Promise<number> {
  const cpuMs = (await files.schedstat(process.pid, tid))?.cpuMs ?? (await files.stat(process.pid, tid))?.cpuMs;
  if (cpuMs === undefined) throw fault(`the CPU time of the own thread ${tid} cannot be read`);
  return cpuMs;
}

function fault(message: string): GraceError {
  return new GraceError('INTERNAL', message);
}
