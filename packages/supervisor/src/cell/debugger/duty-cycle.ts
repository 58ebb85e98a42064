import { GraceError } from '@grace/contracts';
import type { DutyCycle } from '../limits/cpu-limits.ts';
import { readThreadTimes } from '../proc-thread.ts';
import type { ThreadHandle } from '../thread-handle.ts';
import type { Pause } from './attachment.ts';
import { createShare, type Share } from './share.ts';
import type { ThreadDebugger, ThreadUse } from './thread-debugger.ts';

interface Held {
  share: Share;
  isOver: boolean;
  use: ThreadUse | null;
  pause: Pause | null;
  /** Ends the wait it is in. */
  wake: () => void;
  done: Promise<void>;
}

/** How long a thread that burns runs between two looks, ms: at 0.2 of a core it then stands still for about 40. */
const RUN_MS = 10;
/** A thread that stays below its share is looked at more and more seldom, down to this, ms: ten looks a second cost 0.1 % of a core. */
const REST_MS = 100;
/** The debugger stays enabled this long after the last pause: it slows promises down, but enabling it costs 10-40 ms of the thread's time. */
const DETACH_MS = 1000;
/** A thread in native code is not waited for longer at a time, ms. */
const PAUSE_DEADLINE_MS = 1000;
/** Standing still for less is not worth a pause, ms. */
const LEAST_MS = 2;

/** Holds threads to a share of one core by pausing them in their debugger, for as long as they burn more than that; needs no privilege. */
export function createDutyCycle(threads: ThreadDebugger): DutyCycle {
  const all = new Map<ThreadHandle, Held>();

  const wait = (held: Held, ms: number): Promise<void> =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      held.wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });

  const letGo = (held: Held): void => {
    held.pause?.end();
    held.use?.end();
    held.pause = held.use = null;
  };

  const standStill = async (thread: ThreadHandle, held: Held): Promise<void> => {
    held.use ??= await threads.use(thread);
    const pause = held.isOver ? null : await held.use.pause(PAUSE_DEADLINE_MS);
    if (!pause) return;
    if (held.isOver) {
      pause.end();
      return;
    }
    held.pause = pause;
    try {
      // The pause may have come late, or after a rest: what is owed is what counts now.
      const ms = owed(thread, held) ?? 0;
      if (ms > 0) await wait(held, ms);
    } finally {
      pause.end();
      held.pause = null;
    }
  };

  const run = async (thread: ThreadHandle, held: Held): Promise<void> => {
    let pausedAt = 0;
    let restMs = RUN_MS;
    while (!held.isOver) {
      await wait(held, restMs);
      if (held.isOver) break;
      const ms = owed(thread, held);
      if (ms === null) break;
      const now = performance.now();
      if (ms >= LEAST_MS) {
        pausedAt = now;
        restMs = RUN_MS;
        // In native code: what it burns there is owed afterwards.
        await standStill(thread, held).catch((error) => {
          if (!(error instanceof GraceError) || error.code !== 'DEADLINE') throw error;
        });
      } else if (held.use && now - pausedAt > DETACH_MS) {
        held.use.end();
        held.use = null;
      } else if (!held.use) restMs = Math.min(REST_MS, restMs * 2);
    }
  };

  const end = (thread: ThreadHandle, held: Held): void => {
    if (all.get(thread) === held) all.delete(thread);
    held.isOver = true;
    held.wake();
    letGo(held);
  };

  return {
    async hold(thread, cpu) {
      const held = all.get(thread);
      if (held) {
        held.share.cpu = cpu;
        return;
      }
      const times = readThreadTimes(thread.tid);
      if (thread.worker.threadId === -1 || !times)
        throw new GraceError('KERNEL_GONE', `the CPU time of ${thread.kernel} cannot be read: its thread is not there`);
      const fresh: Held = {
        share: createShare(cpu, performance.now(), times.cpuMs),
        isOver: false,
        use: null,
        pause: null,
        wake: () => {},
        done: Promise.resolve(),
      };
      all.set(thread, fresh);
      // The thread ended, or was freed to be ended: nothing is left to hold.
      fresh.done = run(thread, fresh)
        .catch(() => {})
        .finally(() => end(thread, fresh));
    },
    async release(thread) {
      const held = all.get(thread);
      if (!held) return;
      end(thread, held);
      await held.done;
    },
    stop() {
      for (const [thread, held] of all) end(thread, held);
    },
  };
}

/** Null when the thread is gone. */
function owed(thread: ThreadHandle, { share }: Held): number | null {
  const times = readThreadTimes(thread.tid);
  return times && share.account(performance.now(), times.cpuMs);
}
