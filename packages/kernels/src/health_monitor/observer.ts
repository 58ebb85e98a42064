import { readFile } from 'node:fs/promises';
import { type ErrorCode, toWireError } from '@grace/contracts';
import type { Hosts } from './address.ts';
import type { ProbeCheck } from './definition.ts';
import { askAddress } from './http.ts';
import type { ProbeResult } from './judge.ts';

/** How a check reaches the world. */
export interface Reach {
  /** Calls a verb of a kernel; rejects after the deadline. */
  call(kernel: string, verb: string, input: unknown, deadlineMs: number): Promise<unknown>;
  /** Whether calls of this kernel have no way to go at this moment. */
  cutOff(kernel: string): boolean;
  monoMs(): number;
  /** Hosts an HTTP probe may ask beside this machine. */
  hosts: Hosts;
}

/** What others say is kept, and shown, up to here. */
const DETAIL_MAX = 500;

/** The bus, not the kernel behind it, is what did not answer. */
const CUT_OFF: readonly ErrorCode[] = ['BUS_CLOSED', 'BUS_OVERLOADED', 'BUS_MUTED'];

/** Carries out one check. Never throws: what goes wrong is the result. */
export async function observe(check: ProbeCheck, deadlineMs: number, reach: Reach): Promise<ProbeResult> {
  const startedMono = reach.monoMs();
  const done = (verdict: ProbeResult['verdict'], detail: string): ProbeResult => {
    return { verdict, detail: detail.slice(0, DETAIL_MAX), ms: Math.max(0, reach.monoMs() - startedMono) };
  };
  try {
    return done('pass', await carryOut(check, deadlineMs, reach));
  } catch (error) {
    const { code, message } = toWireError(error);
    const overBus = check.kind === 'verb' || check.kind === 'query';
    // Without a broker nothing can be said about a kernel, except about the one that runs the broker.
    const isCutOff =
      overBus && check.kernel !== 'message_bus' && (CUT_OFF.includes(code) || reach.cutOff(check.kernel));
    return done(isCutOff ? 'unknown' : 'fail', isCutOff ? `cut off from the bus: ${message}` : message);
  }
}

async function carryOut(check: ProbeCheck, deadlineMs: number, reach: Reach): Promise<string> {
  switch (check.kind) {
    case 'verb':
      await reach.call(check.kernel, check.verb, check.input, deadlineMs);
      return `${check.kernel} ${check.verb} answered`;
    case 'http':
      return await askAddress(check, deadlineMs, reach.hosts);
    case 'process':
      return await alive(check.pid);
    case 'query': {
      const answer = await reach.call(check.kernel, check.verb, check.input, deadlineMs);
      const value = numberAt(answer, check.path);
      if (value < check.min || value > check.max) {
        throw new Error(`${check.path} is ${value}, expected ${check.min} to ${check.max}`);
      }
      return `${check.path} is ${value}`;
    }
  }
}

/** Signal 0 asks the kernel of the machine whether the process is there. A zombie still is, but runs no more. */
async function alive(pid: number): Promise<string> {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it is there, and belongs to somebody else.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') throw new Error(`no process has the id ${pid}`);
  }
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  const state = /^\d+ \(.*\) (\S)/s.exec(stat)?.[1];
  if (state === 'Z' || state === 'X') throw new Error(`process ${pid} has ended and was not reaped`);
  return `process ${pid} is there`;
}

function numberAt(answer: unknown, path: string): number {
  let value = answer;
  for (const name of path.split('.')) {
    // Own fields alone: every list and function has a length that nobody answered with.
    const has = value !== null && typeof value === 'object' && Object.hasOwn(value, name);
    value = has ? (value as Record<string, unknown>)[name] : undefined;
  }
  if (typeof value !== 'number' || Number.isNaN(value)) {
    throw new Error(
      `${path}: expected a number in the answer, got ${JSON.stringify(value)?.slice(0, 100) ?? 'nothing'}`,
    );
  }
  return value;
}
