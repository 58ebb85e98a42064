import type { BusClient } from '@grace/bus/client';
import { SLOT } from '@grace/contracts';

/** Of one verb or message: what takes longer waits for something, and its thread need not have served it all the while. */
const PIECE_MAX_NS = 1_000_000_000n;

/** Notes that something of others begins; what it returns is to be called when it has ended, however it ended. */
export type Begin = () => () => void;

/**
 * Counts into its telemetry slot the time in which the thread had something of others under way that has ended since. What never ends counts
 * no time: who hangs in it serves nobody.
 *
 * @param nowNs - Monotonic ns.
 */
export function createServedTime(slot: BigInt64Array, nowNs: () => bigint = () => process.hrtime.bigint()): Begin {
  /** Time up to here is counted, or lies before anything that was under way. */
  let countedNs = 0n;
  return () => {
    const beganNs = nowNs();
    return () => {
      const endedNs = nowNs();
      const newNs = endedNs - (beganNs > countedNs ? beganNs : countedNs);
      Atomics.add(slot, SLOT.servedNs, newNs < PIECE_MAX_NS ? newNs : PIECE_MAX_NS);
      countedNs = endedNs;
    };
  };
}

/** Notes, in place, the messages that a kernel's own subscriptions handle; its verbs are noted where they are called. */
export function noteMessages(bus: BusClient, kernel: string, begin: Begin): void {
  const subscribe = bus.subscribe.bind(bus);
  bus.subscribe = (pattern, handler, options) => {
    if (String(pattern).startsWith(`kernel.${kernel}.call.`)) return subscribe(pattern, handler, options);
    const noted: typeof handler = (message) => {
      const end = begin();
      let handled: void | Promise<void>;
      try {
        handled = handler(message);
      } catch (error) {
        end();
        throw error;
      }
      if (!(handled instanceof Promise)) {
        end();
        return handled;
      }
      return handled.finally(end);
    };
    return subscribe(pattern, noted, options);
  };
}
