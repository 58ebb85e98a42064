import { fileURLToPath } from 'node:url';
import { GraceError } from '@grace/contracts';
import type { Piscina } from 'piscina';
import type { Answer } from './pool.ts';
import { type Preparation, type Prepared, prepare } from './prepare.ts';
import { summarise } from './summary/summary.ts';

/** Characters. What is shorter is done in the kernel's thread: no way to another and back, and at worst 0.1 s (hostile markdown). */
const SMALL = 4096;
const MAX_QUEUE = 64;
const IDLE_MS = 2000;
const HEAP_MB = 256;

/** What a reader may spend on one document. */
export interface Allowance {
  deadlineMs: number;
  /** Heap and buffers of the thread while it reads a pdf, whose streams may unfold to any size. */
  memoryBytes: number;
}

const ALLOWANCE: Allowance = { deadlineMs: 30_000, memoryBytes: 384 * 1024 ** 2 };
/** A stream unfolds at less than 200 MB/s: a reading that is so old is at most 20 MB off. */
const WATCH_EVERY_MS = 100;

export type Workshop = ReturnType<typeof createWorkshop>;

/**
 * Where splitting, hashing and summarising happen: small texts in this thread, others in a pool that is made at the first need and has no
 * threads at rest. Its twin is pool.ts.
 */
export function createWorkshop(maxThreads: number, allowance: Allowance = ALLOWANCE) {
  let pool: Promise<Piscina> | undefined;
  let underway = 0;
  /** Pdfs are read one after the other: then it is known whose memory a thread has. */
  let lastPdf: Promise<unknown> = Promise.resolve();
  let waitingPdfs = 0;
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
      resourceLimits: { maxOldGenerationSizeMb: HEAP_MB },
    });
  };

  const run = async <T>(name: 'prepare' | 'summarise', task: unknown, greedy?: AbortSignal): Promise<T> => {
    pool ??= open();
    counters.pooled++;
    underway++;
    const deadline = AbortSignal.timeout(allowance.deadlineMs);
    try {
      const signal = greedy ? AbortSignal.any([deadline, greedy]) : deadline;
      const answer = (await (await pool).run(task, { name, signal })) as Answer<T>;
      if ('value' in answer) return answer.value;
      throw new GraceError(answer.refused.code, answer.refused.message, answer.refused.details);
    } catch (error) {
      counters.failed++;
      throw refusal(name, error, deadline.aborted ? allowance.deadlineMs : undefined);
    } finally {
      underway--;
    }
  };

  const readPdf = async (task: Preparation): Promise<Prepared> => {
    const greedy = new AbortController();
    const watch = setInterval(async () => {
      const threads = (await pool)?.threads ?? [];
      for (const thread of threads) {
        // A thread that ends meanwhile has no memory any more.
        const seen = await thread.getHeapStatistics().catch(() => undefined);
        if (seen && seen.used_heap_size + seen.external_memory > allowance.memoryBytes) {
          const mib = Math.round(allowance.memoryBytes / 1024 ** 2);
          greedy.abort(
            new GraceError('DOCUMENT_UNREADABLE', `the pdf unfolds to more than ${mib} MiB and is not read`),
          );
        }
      }
    }, WATCH_EVERY_MS);
    try {
      return await run<Prepared>('prepare', task, greedy.signal);
    } catch (error) {
      if (greedy.signal.aborted) throw greedy.signal.reason;
      throw error;
    } finally {
      clearInterval(watch);
    }
  };

  return {
    async prepare(task: Preparation): Promise<Prepared> {
      if ('pdf' in task.content) {
        if (waitingPdfs >= MAX_QUEUE) throw full();
        waitingPdfs++;
        const read = lastPdf.then(() => readPdf(task)).finally(() => waitingPdfs--);
        lastPdf = read.catch(() => {});
        return read;
      }
      if (task.content.text.length > SMALL) return run<Prepared>('prepare', task);
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

const full = (): GraceError =>
  new GraceError('CONFLICT', `${MAX_QUEUE} documents wait for a thread already; try again later`);

function refusal(name: string, error: unknown, overdueMs: number | undefined): GraceError {
  if (error instanceof GraceError) return error;
  const { message, code } = error as Error & { code?: string };
  if (/queue is at limit/i.test(message)) return full();
  if (overdueMs !== undefined) {
    const code = name === 'prepare' ? 'DOCUMENT_UNREADABLE' : 'DEADLINE';
    return new GraceError(code, `${name} took longer than ${overdueMs} ms and was ended`);
  }
  if (code === 'ERR_WORKER_OUT_OF_MEMORY')
    return new GraceError('DOCUMENT_UNREADABLE', `${name} needed more than ${HEAP_MB} MiB of heap and was ended`);
  return new GraceError('INTERNAL', `${name} failed in its thread: ${message}`, {}, { cause: error });
}
