import type { MemoryPressure } from '@grace/contracts';
import type { KernelLog, NeedHandler, PressureHandler } from './kernel.ts';

/** What the cell tells a kernel beside its work. */
export interface Listeners {
  onPressure(handler: PressureHandler): void;
  onNeed(handler: NeedHandler): void;
  /** Resolves when every handler has come back, failed, or used up its time. Never rejects. */
  pressed(pressure: MemoryPressure): Promise<void>;
  needChanged(need: string, up: boolean): void;
}

/** A handler of memory pressure is not waited for longer than this, ms. */
const SHED_DEADLINE_MS = 1000;

/**
 * Keeps a kernel's handlers and calls them. What a handler throws is logged; one that has not come back is not called again before it has,
 * and holds up nobody else.
 */
export function createListeners(log: KernelLog, deadlineMs = SHED_DEADLINE_MS): Listeners {
  const shedding: { handler: PressureHandler; busy: boolean }[] = [];
  const needing: NeedHandler[] = [];

  const shed = async (one: (typeof shedding)[number], pressure: MemoryPressure): Promise<void> => {
    one.busy = true;
    try {
      await one.handler(pressure);
    } catch (error) {
      log.error('the handler of memory pressure failed', { error: words(error) });
    } finally {
      one.busy = false;
    }
  };

  return {
    onPressure: (handler) => void shedding.push({ handler, busy: false }),
    onNeed: (handler) => void needing.push(handler),
    async pressed(pressure) {
      const idle = shedding.filter(({ busy }) => !busy);
      if (idle.length < shedding.length)
        log.warn('a handler of memory pressure has not come back since the last time', { deadlineMs });
      const late = Promise.withResolvers<void>();
      const timer = setTimeout(late.resolve, deadlineMs);
      await Promise.race([Promise.all(idle.map((one) => shed(one, pressure))), late.promise]);
      clearTimeout(timer);
    },
    needChanged(need, up) {
      for (const handler of needing) {
        // One that is async in spite of its type must not end the thread by its rejection.
        void (async () => handler(need, up))().catch((error: unknown) =>
          log.error('the handler of needs failed', { need, up, error: words(error) }),
        );
      }
    },
  };
}

function words(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
