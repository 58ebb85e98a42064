import { type ChildProcess, spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { setPriority } from 'node:os';
import { fileURLToPath } from 'node:url';
import { fromWireError, GraceError } from '@grace/contracts';
import type { FromWorkshop, ToWorkshop, Work, WorkshopPlan } from './work.ts';

/** A thread that does not end when it is told to: then its process is. */
const CANCEL_MS = 3000;
const STDERR_LENGTH = 2000;
const NICE = 10;

interface Call {
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/** The workshop's process as the kernel's thread sees it: started at the first need, ended when it is not needed. Its twin is host.ts. */
export function createHands(plan: WorkshopPlan) {
  let running: { child: ChildProcess; calls: Map<number, Call> } | undefined;
  let number = 0;

  const start = (): NonNullable<typeof running> => {
    // From source the file stands above this one; bundled it is named after the kernel.
    const file = import.meta.url.endsWith('.ts') ? '../pool.ts' : './coding_agent-pool.js';
    const child = spawn(process.execPath, [fileURLToPath(new URL(file, import.meta.url)), JSON.stringify(plan)], {
      env: {
        PATH: process.env['PATH'] ?? '/usr/bin:/bin',
        // The compilation of WebAssembly leaves much behind in each arena of glibc.
        MALLOC_ARENA_MAX: '2',
      },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      serialization: 'advanced',
      // Ctrl-C is for who drains.
      detached: true,
    });
    const made = { child, calls: new Map<number, Call>() };
    let said = '';
    child.stderr!.on('data', (chunk: Buffer) => {
      said = (said + chunk.toString('utf8')).slice(-STDERR_LENGTH);
    });
    child.on('message', ({ id, answer }: FromWorkshop) => {
      const call = made.calls.get(id);
      made.calls.delete(id);
      if (!call) return;
      if ('error' in answer) call.reject(fromWireError(answer.error));
      else call.resolve(answer.value);
    });
    const gone = (why: string): void => {
      if (running === made) running = undefined;
      const error = new GraceError('INTERNAL', `the workshop's process ended: ${why}${said && `: ${said.trim()}`}`);
      for (const call of made.calls.values()) call.reject(error);
      made.calls.clear();
    };
    child.once('error', (error) => gone(error.message));
    child.once('exit', (code, signal) => gone(signal ?? `exit status ${code}`));
    try {
      if (child.pid !== undefined) setPriority(child.pid, NICE);
    } catch {
      // It has ended already; `gone` says so.
    }
    return made;
  };

  return {
    /** @throws GraceError what the work says; `DEADLINE` when `signal` ended it; `INTERNAL` when its thread or process died */
    async run<K extends keyof Work>(name: K, task: Work[K][0], signal: AbortSignal): Promise<Work[K][1]> {
      signal.throwIfAborted();
      running ??= start();
      const { child, calls } = running;
      const id = ++number;
      const send = (message: ToWorkshop): void => void child.send(message, () => {});
      let timer: NodeJS.Timeout | undefined;
      const onAbort = (): void => {
        send({ kind: 'cancel', id });
        timer = setTimeout(() => child.kill('SIGKILL'), CANCEL_MS);
      };
      signal.addEventListener('abort', onAbort, { once: true });
      try {
        return (await new Promise((resolve, reject) => {
          calls.set(id, { resolve, reject });
          send({ kind: 'work', id, name, task });
        })) as Work[K][1];
      } finally {
        clearTimeout(timer);
        signal.removeEventListener('abort', onAbort);
      }
    },
    /** Its memory goes with it; what is under way is lost. */
    async end(): Promise<void> {
      if (!running) return;
      const { child } = running;
      running = undefined;
      const exited = new Promise((resolve) => child.once('exit', resolve));
      if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return;
      child.kill('SIGKILL');
      await exited;
    },
    /** Its process, and how much of the machine's memory it holds. */
    async stats(): Promise<{ pid: number | null; memoryBytes: number }> {
      const pid = running?.child.pid;
      if (pid === undefined) return { pid: null, memoryBytes: 0 };
      const text = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
      return { pid, memoryBytes: Number(/VmRSS:\s+(\d+)/.exec(text)?.[1] ?? 0) * 1024 };
    },
  };
}
