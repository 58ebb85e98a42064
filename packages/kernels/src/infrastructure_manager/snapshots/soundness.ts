import { Worker } from 'node:worker_threads';
import { GraceError } from '@grace/contracts';

/** What a file claims to be, where that can be checked. */
export type Form = 'database' | 'yaml' | 'json';

export type SoundnessTask = readonly { path: string; form: Form }[];

/** What is wrong with each file, or null: SQLite's quick check, or a parser's first error. */
export type CheckSoundness = (task: SoundnessTask) => Promise<(string | null)[]>;

const DEADLINE_MS = 60_000;
const HEAP_MB = 128;

/**
 * In a thread of its own that ends with the task: SQLite checks without giving way, and a large file would hold this kernel's event loop for
 * longer than it may. Its twin is pool.ts.
 * @param checker file of the twin, absolute
 */
export function createSoundness(checker: string, signal: AbortSignal): CheckSoundness {
  return async (task) => {
    if (task.length === 0) return [];
    signal.throwIfAborted();
    const worker = new Worker(checker, {
      workerData: task,
      execArgv: [],
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
    });
    const late = AbortSignal.any([signal, AbortSignal.timeout(DEADLINE_MS)]);
    try {
      return await new Promise<(string | null)[]>((resolve, reject) => {
        late.addEventListener('abort', () =>
          reject(new GraceError('DEADLINE', `${task.length} files were not checked within ${DEADLINE_MS} ms`)),
        );
        worker.once('message', resolve);
        worker.once('error', reject);
        worker.once('exit', (code) =>
          reject(new GraceError('INTERNAL', `the checking thread ended with code ${code}`)),
        );
      });
    } finally {
      await worker.terminate();
    }
  };
}

/** By the end of the name; null: nothing is known of its form. */
export function formOf(path: string): 'yaml' | 'json' | null {
  if (/\.ya?ml$/i.test(path)) return 'yaml';
  return /\.json$/i.test(path) ? 'json' : null;
}
