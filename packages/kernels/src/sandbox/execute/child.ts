import { type ChildProcess, spawn } from 'node:child_process';
import type { StopReason } from '../runs/run.ts';
import { watchDisk } from './disk.ts';
import type { Launch } from './launch.ts';
import { heldBytes, kill, processesOf, startOf, treeOf } from './proc.ts';
import type { ExecuteLimits } from './request.ts';

const LOOK_MS = 100;
/** For the pipes to run empty after the end. */
const CLOSE_MS = 2000;
const SWEEPS_MAX = 50;

export interface ChildWishes {
  folder: string;
  stdin: string;
  limits: ExecuteLimits;
  signal: AbortSignal;
  /** Called before anything else happens with the process. */
  onPid: (pid: number, start: number | null) => void;
}

export interface ChildEnd {
  /** Why it was ended; null = it ended by itself. */
  reason: StopReason | null;
  exitCode: number | null;
  signal: string | null;
  stdout: string;
  stderr: string;
  /** What it wrote, also what was not kept. */
  outputBytes: number;
  isTruncated: boolean;
  peakBytes: number;
  peakProcesses: number;
}

/**
 * Starts one program as the leader of a group of its own, watches it, and resolves when it and all it has started are gone.
 * Rejects with the error of the operating system when it cannot be started.
 */
export function runChild(launch: Launch, wishes: ChildWishes): Promise<ChildEnd> {
  const { folder, limits, signal } = wishes;
  const child = spawn(launch.file, launch.args, {
    ...{ cwd: folder, env: launch.env, detached: true, stdio: ['pipe', 'pipe', 'pipe'], shell: false },
  });
  const { pid } = child;
  if (pid === undefined) return new Promise((_, reject) => child.once('error', reject));
  // Sends signals to a group that is gone: the leader's pid may be another's by then.
  let isGone = false;
  let reason: StopReason | null = null;
  const stop = (why: StopReason): void => {
    reason ??= why;
    if (!isGone) kill(-pid);
  };
  try {
    wishes.onPid(pid, startOf(pid));
  } catch (error) {
    child.once('error', () => {});
    kill(-pid);
    throw error;
  }
  const watch = watchTree(pid, launch, limits, stop);
  const disk = watchDisk(folder, limits.diskBytes, () => stop('disk'));
  const stdout = collect(child.stdout!, limits.outputBytes, () => stop('output'));
  const stderr = collect(child.stderr!, limits.outputBytes, () => stop('output'));
  const timer = setTimeout(() => stop('timeout'), limits.timeoutMs);
  const onAbort = (): void => stop('cancelled');
  signal.addEventListener('abort', onAbort, { once: true });
  if (signal.aborted) onAbort();
  // A program that does not read, or has ended, closes its end.
  child.stdin!.on('error', () => {});
  child.stdin!.end(wishes.stdin);

  const exited = new Promise<{ code: number | null; signal: string | null }>((resolve) => {
    child.once('error', () => {});
    child.once('exit', (code, by) => {
      isGone = true;
      clearTimeout(timer);
      resolve({ code, signal: by });
    });
  });
  return exited.then(async (end) => {
    signal.removeEventListener('abort', onAbort);
    const { seen, peakBytes, peakProcesses } = watch.end();
    disk.end();
    // What was in the group may have outlived its leader; in a namespace of its own nothing has.
    if (launch.isolation.processes !== 'namespace') await sweep(folder, seen);
    await closed(child);
    return {
      ...{
        reason,
        exitCode: end.code,
        signal: end.signal,
        stdout: stdout.text(),
        stderr: stderr.text(),
        peakBytes,
        peakProcesses,
      },
      outputBytes: stdout.bytes() + stderr.bytes(),
      isTruncated: stdout.bytes() > limits.outputBytes || stderr.bytes() > limits.outputBytes,
    };
  });
}

/** Counts processes and memory while the program runs; bounds them, and remembers who was seen. */
function watchTree(pid: number, launch: Launch, limits: ExecuteLimits, stop: (why: StopReason) => void) {
  const seen = new Map<number, number | null>();
  let peakBytes = 0;
  let peakProcesses = 0;
  const look = (): void => {
    const tree = treeOf(pid);
    const count = tree.length - launch.wrappers;
    const bytes = tree.reduce((sum, one) => sum + heldBytes(one), 0);
    for (const one of tree) if (!seen.has(one)) seen.set(one, startOf(one));
    peakBytes = Math.max(peakBytes, bytes);
    peakProcesses = Math.max(peakProcesses, count);
    if (count > limits.processes) stop('processes');
    else if (bytes > limits.memoryBytes) stop('memory');
  };
  const timer = setInterval(look, LOOK_MS);
  return {
    end() {
      clearInterval(timer);
      return { seen, peakBytes, peakProcesses };
    },
  };
}

/** Ends what is left of a run: who carries its mark, stands in its folder, or was seen to descend from it. Again until nobody is found. */
export async function sweep(folder: string, seen: ReadonlyMap<number, number | null>): Promise<boolean> {
  for (let round = 0; round < SWEEPS_MAX; round++) {
    const known = [...seen].filter(([pid, start]) => start !== null && startOf(pid) === start).map(([pid]) => pid);
    const left = new Set([...known, ...processesOf(folder)]);
    if (left.size === 0) return true;
    for (const pid of left) kill(pid);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return false;
}

function collect(stream: NodeJS.ReadableStream, maxBytes: number, onFlood: () => void) {
  const chunks: Buffer[] = [];
  let bytes = 0;
  stream.on('data', (chunk: Buffer) => {
    if (bytes < maxBytes) chunks.push(chunk.subarray(0, maxBytes - bytes));
    bytes += chunk.length;
    if (bytes > maxBytes) onFlood();
  });
  stream.on('error', () => {});
  return { text: () => Buffer.concat(chunks).toString('utf8'), bytes: () => bytes };
}

/** Waits for the last output; somebody who still holds the pipes does not hold the run. */
function closed(child: ChildProcess): Promise<void> {
  const streams = [child.stdout!, child.stderr!];
  if (streams.every((stream) => stream.closed)) return Promise.resolve();
  return new Promise((resolve) => {
    const timer = setTimeout(() => {
      for (const stream of streams) stream.destroy();
      resolve();
    }, CLOSE_MS);
    child.once('close', () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
