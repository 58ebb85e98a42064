import { fileURLToPath } from 'node:url';
import type { Piscina } from 'piscina';
import type { Evaluated, Evaluation } from './evaluation.ts';

const IDLE_MS = 30_000;
/** Beyond the snippet's own deadline: for the thread and its engine to come, on a machine that is full. */
const START_MS = 15_000;

export type Evaluator = ReturnType<typeof createEvaluator>;

/**
 * Snippets in threads of their own, made at the first need: whatever one does, the kernel's thread answers. The engine ends a snippet at its
 * deadline; should it not, its thread is ended. The twin in the thread is pool.ts.
 */
export function createEvaluator(runThreads: number) {
  let pool: Promise<Piscina> | undefined;
  let underWay = 0;
  const open = async (): Promise<Piscina> => {
    const { Piscina: Pool } = await import('piscina');
    // From source the file stands one folder up; bundled it is named after the kernel.
    const file = import.meta.url.endsWith('.ts') ? '../pool.ts' : './sandbox-pool.js';
    return new Pool({
      filename: fileURLToPath(new URL(file, import.meta.url)),
      minThreads: 0,
      // One more than runs may use: the probe never waits behind them.
      maxThreads: runThreads + 1,
      idleTimeout: IDLE_MS,
      // Nothing of the kernel's process is handed on, also not to a snippet that would leave its engine.
      env: {},
      resourceLimits: { maxOldGenerationSizeMb: 128, stackSizeMb: 1 },
    });
  };

  return {
    /** Rejects with the reason of `signal`; its thread is ended then. */
    async evaluate(task: Evaluation, signal: AbortSignal): Promise<Evaluated> {
      pool ??= open();
      const deadline = AbortSignal.timeout(task.timeoutMs + START_MS);
      underWay++;
      try {
        const both = AbortSignal.any([signal, deadline]);
        return (await (await pool).run(task, { name: 'evaluate', signal: both })) as Evaluated;
      } catch (error) {
        signal.throwIfAborted();
        const nothing = { line: null, console: [], memoryBytes: 0 };
        const { message, code } = error as NodeJS.ErrnoException;
        if (deadline.aborted)
          return {
            state: 'timeout',
            message: `its thread had to be ended after ${task.timeoutMs + START_MS} ms`,
            ...nothing,
          };
        if (code === 'ERR_WORKER_OUT_OF_MEMORY')
          return { state: 'memory', message: 'its thread ran out of memory', ...nothing };
        return { state: 'error', message: `its thread ended: ${message}`, ...nothing };
      } finally {
        underWay--;
      }
    },
    threads: async (): Promise<number> => (await pool)?.threads.length ?? 0,
    /** Ends threads that have nothing to do, and their engines with them. */
    async shed(): Promise<void> {
      if (underWay > 0 || !pool) return;
      const idle = pool;
      pool = undefined;
      await (await idle).destroy();
    },
    async close(): Promise<void> {
      await (await pool)?.destroy();
    },
  };
}
