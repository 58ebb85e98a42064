import { fileURLToPath } from 'node:url';
import { GraceError } from '@grace/contracts';
import type { Piscina } from 'piscina';
import { type Preparation, type Prepared, prepare } from './prepare.ts';
import { summarise } from './summary/summary.ts';

/** Characters. What is shorter is done in the kernel's thread: no way to another and back, and at worst 0.1 s (hostile markdown). */
const SMALL = 4096;
const MAX_QUEUE = 64;
const TASK_DEADLINE_MS = 30_000;
const IDLE_MS = 2000;

export type Workshop = ReturnType<typeof createWorkshop>;

/**
 * Where splitting, hashing and summarising happen: small texts in this thread, others in a pool that is made at the first need and has no
 * threads at rest. Its twin is pool.ts.
 */
export function createWorkshop(maxThreads: number) {
  let pool: Promise<Piscina> | undefined;
  let underway = 0;
  const counters = { here: 0, pooled: 0, failed: 0 };

  const open = async (): Promise<Piscina> => {
    const { Piscina: Pool } = await import('piscina');
    // From source the file stands beside this one; bundled it is named after the kernel.
    const file = import.meta.url.endsWith('.ts') ? './pool.ts' : './librarian-pool.js';
    return new Pool({
      filename: fileURLToPath(new URL(file, import.meta.url)),
      minThreads: 0,
      maxThreads,
      maxQueue: MAX_QUEUE,
      idleTimeout: IDLE_MS,
      niceIncrement: 10,
      resourceLimits: { maxOldGenerationSizeMb: 256 },
    });
  };

  const run = async <T>(name: 'prepare' | 'summarise', task: unknown): Promise<T> => {
    pool ??= open();
    counters.pooled++;
    underway++;
    try {
      return (await (await pool).run(task, { name, signal: AbortSignal.timeout(TASK_DEADLINE_MS) })) as T;
    } catch (error) {
      counters.failed++;
      throw refusal(name, error);
    } finally {
      underway--;
    }
  };

  return {
    prepare(task: Preparation): Promise<Prepared> {
      if (task.text.length > SMALL) return run<Prepared>('prepare', task);
      counters.here++;
      return prepare(task);
    },
    summarise(text: string, sentences: number): Promise<string[]> | string[] {
      if (text.length > SMALL) return run<string[]>('summarise', { text, sentences });
      counters.here++;
      return summarise(text, sentences);
    },
    async stats() {
      const opened = await pool;
      return { ...counters, threads: opened?.threads.length ?? 0, queue: opened?.queueSize ?? 0 };
    },
    /** Ends threads that wait for work, and their heaps with them, before their time. Returns how many. */
    async shed(): Promise<number> {
      if (underway > 0 || !pool) return 0;
      const idle = pool;
      pool = undefined;
      const opened = await idle;
      const threads = opened.threads.length;
      await opened.destroy();
      return threads;
    },
    async close(): Promise<void> {
      const opened = await pool;
      await opened?.destroy();
    },
  };
}

function refusal(name: string, error: unknown): GraceError {
  const { message, name: kind } = error as Error;
  if (/queue is at limit/i.test(message)) {
    return new GraceError('CONFLICT', `${MAX_QUEUE} documents wait for a thread already; try again later`);
  }
  if (kind === 'AbortError' || kind === 'TimeoutError') {
    return new GraceError('DEADLINE', `${name} took longer than ${TASK_DEADLINE_MS} ms and was ended`);
  }
  return new GraceError('INTERNAL', `${name} failed in its thread: ${message}`, {}, { cause: error });
}
