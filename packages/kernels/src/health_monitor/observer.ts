import { readFile } from 'node:fs/promises';
import { type ErrorCode, toWireError } from '@grace/contracts';
import type { ProbeCheck } from './definition.ts';
import type { ProbeResult } from './judge.ts';

/** How a check reaches the world. */
export interface Reach {
  /** Calls a verb of a kernel; rejects after the deadline. */
  call(kernel: string, verb: string, input: unknown, deadlineMs: number): Promise<unknown>;
  /** Whether calls of this kernel have no way to go at this moment. */
  cutOff(kernel: string): boolean;
  monoMs(): number;
}

const MAX_BODY_BYTES = 256 * 1024;

/** The bus, not the kernel behind it, is what did not answer. */
const CUT_OFF: readonly ErrorCode[] = ['BUS_CLOSED', 'BUS_OVERLOADED', 'BUS_MUTED'];

/** Carries out one check. Never throws: what goes wrong is the result. */
export async function observe(check: ProbeCheck, deadlineMs: number, reach: Reach): Promise<ProbeResult> {
  const startedMono = reach.monoMs();
  const done = (verdict: ProbeResult['verdict'], detail: string): ProbeResult => {
    return { verdict, detail, ms: Math.max(0, reach.monoMs() - startedMono) };
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
      return http(check, deadlineMs);
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

async function http(check: Extract<ProbeCheck, { kind: 'http' }>, deadlineMs: number): Promise<string> {
  const signal = AbortSignal.timeout(deadlineMs);
  const response = await fetch(check.url, { signal, redirect: 'manual' });
  try {
    if (response.status !== check.status) throw new Error(`status ${response.status}, expected ${check.status}`);
    if (check.contains !== null && !(await beginning(response)).includes(check.contains)) {
      throw new Error(`the body does not contain ${JSON.stringify(check.contains)}`);
    }
    return `status ${response.status}`;
  } finally {
    if (!response.bodyUsed) await response.body?.cancel();
  }
}

/** At most `MAX_BODY_BYTES` of the body: a probe never holds more, whatever the other side sends. */
async function beginning(response: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of response.body ?? []) {
    parts.push(part);
    bytes += part.byteLength;
    if (bytes >= MAX_BODY_BYTES) break;
  }
  return Buffer.concat(parts).subarray(0, MAX_BODY_BYTES).toString('utf8');
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
    value = value !== null && typeof value === 'object' ? (value as Record<string, unknown>)[name] : undefined;
  }
  if (typeof value !== 'number' || Number.isNaN(value)) {
    throw new Error(`${path}: expected a number in the answer, got ${JSON.stringify(value) ?? 'nothing'}`);
  }
  return value;
}
