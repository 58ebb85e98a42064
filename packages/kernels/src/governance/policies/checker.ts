import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { fromWireError, GraceError, type WireError } from '@grace/contracts';
import type { Verdict } from '../engine/weigh.ts';
import type { PolicyFile, PolicySet } from './policy-set.ts';

/** Policies to check: of folders, as files, or checked already; and what to ask them. */
export interface CheckTask {
  folders?: readonly string[];
  files?: readonly PolicyFile[];
  set?: PolicySet;
  question?: { principal: string; action: string; resource: string; context: Record<string, unknown> | undefined };
}

export interface Checked {
  set: PolicySet;
  /** Null: nothing was asked. */
  verdict: Verdict | null;
}

export type Checker = (task: CheckTask) => Promise<Checked>;

const DEADLINE_MS = 20_000;
const WAITING_MAX = 16;
const HEAP_MB = 256;

/**
 * Checks policies in a thread of their own, one task at a time: a hundred policies take longer than a kernel may hold its event loop, and text
 * that breaks the parser, or never ends, takes nothing else with it. Its twin is pool.ts.
 */
export function createChecker(signal: AbortSignal): Checker {
  let tail: Promise<unknown> = Promise.resolve();
  let waiting = 0;
  return async (task) => {
    if (waiting >= WAITING_MAX)
      throw new GraceError('CONFLICT', `${waiting} sets of policies wait to be checked; try again later`);
    waiting++;
    const next = tail.then(() => runApart(task, signal));
    tail = next.catch(() => {});
    return await next.finally(() => waiting--);
  };
}

async function runApart(task: CheckTask, signal: AbortSignal): Promise<Checked> {
  signal.throwIfAborted();
  // From source the file stands one folder up; bundled it is named after the kernel.
  const file = import.meta.url.endsWith('.ts') ? '../pool.ts' : './governance-pool.js';
  const worker = new Worker(fileURLToPath(new URL(file, import.meta.url)), {
    workerData: task,
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
  });
  const late = AbortSignal.any([signal, AbortSignal.timeout(DEADLINE_MS)]);
  try {
    return await new Promise<Checked>((resolve, reject) => {
      late.addEventListener('abort', () =>
        reject(new GraceError('DEADLINE', `policies were not checked within ${DEADLINE_MS} ms`)),
      );
      worker.once('message', ({ checked, error }: { checked?: Checked; error?: WireError }) => {
        if (checked) resolve(checked);
        else reject(fromWireError(error!));
      });
      const gone = (why: string): void =>
        reject(new GraceError('POLICY_INVALID', `the policies break the parser: ${why}`));
      worker.once('error', (error) => gone((error as Error).message));
      worker.once('exit', (code) => gone(`its thread ended with code ${code}`));
    });
  } finally {
    await worker.terminate();
  }
}
