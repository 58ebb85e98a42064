import { GraceError } from '@grace/contracts';
import { createHands } from './hands.ts';
import type { Work } from './work.ts';

const MAX_WAITING = 256;
const HEAP_MIB = 768;
/** Of work that nobody gave less. */
const WORK_DEADLINE_MS = 300_000;

export type Workshop = ReturnType<typeof createWorkshop>;

/**
 * Where source is read, judged and mended: a process of its own with a pool of threads. It comes at the first need and goes `idleMs` after the
 * last, and all it has held of memory with it. `threads` work at a time, and one more that only the probe may take, so that it need not wait
 * for a compiler that judges a large tree.
 */
export function createWorkshop({ threads, idleMs }: { threads: number; idleMs: number }) {
  const hands = createHands({ threads: threads + 1, idleMs: Math.max(idleMs, 1), heapMiB: HEAP_MIB });
  const waiting: { come(): void }[] = [];
  const counters = { done: 0, failed: 0, broke: 0, probes: 0 };
  let inside = 0;
  let underWay = 0;
  let idle: NodeJS.Timeout | undefined;

  const enter = (signal: AbortSignal): Promise<void> => {
    if (inside < threads) {
      inside++;
      return Promise.resolve();
    }
    if (waiting.length >= MAX_WAITING)
      throw new GraceError('CONFLICT', `${MAX_WAITING} pieces of work wait for a thread already; try again later`);
    return new Promise((resolve, reject) => {
      const giveUp = (): void => {
        waiting.splice(waiting.indexOf(place), 1);
        reject(signal.reason);
      };
      const place = {
        come(): void {
          signal.removeEventListener('abort', giveUp);
          resolve();
        },
      };
      waiting.push(place);
      signal.addEventListener('abort', giveUp, { once: true });
    });
  };
  const leave = (): void => {
    const next = waiting.shift();
    // The place goes straight to who waits: nobody who comes between takes it.
    if (next) next.come();
    else inside--;
  };
  const run = async <K extends keyof Work>(name: K, task: Work[K][0], signal: AbortSignal): Promise<Work[K][1]> => {
    clearTimeout(idle);
    underWay++;
    try {
      const value = await hands.run(name, task, signal);
      counters.done++;
      return value;
    } catch (error) {
      counters.failed++;
      if (error instanceof GraceError && error.code === 'INTERNAL') counters.broke++;
      throw refusal(name, error, signal);
    } finally {
      underWay--;
      if (underWay === 0) idle = setTimeout(() => void hands.end(), idleMs).unref();
    }
  };

  return {
    /** @throws GraceError `DEADLINE` when `signal` ends it, with its thread; `CONFLICT` when too much waits; what the work says */
    async run<K extends keyof Work>(name: K, task: Work[K][0], given: AbortSignal): Promise<Work[K][1]> {
      const signal = AbortSignal.any([given, AbortSignal.timeout(WORK_DEADLINE_MS)]);
      try {
        await enter(signal);
      } catch (error) {
        throw refusal(name, error, signal);
      }
      try {
        return await run(name, task, signal);
      } finally {
        leave();
      }
    },
    /** For the probe alone: it waits for no other work. */
    async probe<K extends keyof Work>(name: K, task: Work[K][0], signal: AbortSignal): Promise<Work[K][1]> {
      counters.probes++;
      return await run(name, task, signal);
    },
    /** Counts work that ended because its thread or process did. */
    broke: () => counters.broke,
    stats: async () => ({ ...counters, threads, underWay, waiting: waiting.length, ...(await hands.stats()) }),
    /** Ends the process, with the compilers it keeps, before its time; not under work. */
    async shed(): Promise<void> {
      if (underWay === 0) await hands.end();
    },
    async close(): Promise<void> {
      clearTimeout(idle);
      await hands.end();
    },
  };
}

function refusal(name: string, error: unknown, signal: AbortSignal): GraceError {
  if (signal.aborted) return new GraceError('DEADLINE', `${name} was ended: its time was over, or the kernel stops`);
  if (error instanceof GraceError) return error;
  return new GraceError('INTERNAL', `${name} failed: ${(error as Error).message}`, {}, { cause: error });
}
