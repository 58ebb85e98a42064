import { GraceError, toWireError } from '@grace/contracts';
import { Piscina } from 'piscina';
import type { Answer, FromWorkshop, ToWorkshop, WorkshopPlan } from './work.ts';

const MAX_QUEUE = 256;

/**
 * The workshop's own process: a pool of threads, and nothing else. Ends when the kernel hangs up, also because it was killed. Its twin in the
 * kernel's thread is hands.ts.
 * @param file the module of the threads
 */
export function serve(file: string, plan: WorkshopPlan): void {
  const pool = new Piscina({
    filename: file,
    minThreads: 0,
    maxThreads: plan.threads,
    maxQueue: MAX_QUEUE,
    idleTimeout: plan.idleMs,
    resourceLimits: { maxOldGenerationSizeMb: plan.heapMiB },
  });
  const underWay = new Map<number, AbortController>();
  const say = (message: FromWorkshop): void => void process.send?.(message);

  const work = async ({ id, name, task }: ToWorkshop & { kind: 'work' }): Promise<void> => {
    const controller = new AbortController();
    underWay.set(id, controller);
    try {
      say({ id, answer: (await pool.run(task, { name, signal: controller.signal })) as Answer<unknown> });
    } catch (error) {
      const { message } = error as Error;
      const coded = controller.signal.aborted
        ? new GraceError('DEADLINE', `${name} was ended`)
        : new GraceError('INTERNAL', `${name} failed in its thread: ${message}`);
      say({ id, answer: { error: toWireError(coded) } });
    } finally {
      underWay.delete(id);
    }
  };
  process.on('message', (message: ToWorkshop) => {
    if (message.kind === 'cancel') underWay.get(message.id)?.abort();
    else void work(message);
  });
  process.once('disconnect', () => process.exit(0));
}
