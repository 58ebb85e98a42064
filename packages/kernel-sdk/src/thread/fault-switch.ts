import { GraceError, SLOT, type ThreadFault } from '@grace/contracts';

/**
 * Faults a thread can do to itself. Loaded only in an armed system. When a fault ends stands in the telemetry slot, written by the cell
 * agent: so a lease that lapses ends even a thread that spins and hears no messages, and one that has lapsed before the thread came to it
 * does nothing.
 */
export interface FaultSwitch {
  apply(kind: ThreadFault): void;
  heartbeatPaused(): boolean;
}

export function createFaultSwitch(slot: BigInt64Array): FaultSwitch {
  let pausing = false;
  const active = (): boolean => process.hrtime.bigint() < Atomics.load(slot, SLOT.faultUntilNs);
  const bite = (): void => void Atomics.store(slot, SLOT.faultBitNs, process.hrtime.bigint());
  const faults: Record<ThreadFault, () => void> = {
    heartbeat_pause: () => {
      pausing = true;
    },
    cpu_spin: () => {
      while (active());
    },
    uncaught_throw: () => {
      throw new GraceError('INTERNAL', 'drill: uncaught error in a kernel');
    },
    process_exit: () => process.exit(7),
  };
  return {
    apply(kind) {
      // In a turn of its own, so that the message that brought it is handled.
      setImmediate(() => {
        if (!active()) return;
        bite();
        faults[kind]();
      });
    },
    heartbeatPaused: () => {
      if (pausing && !active()) pausing = false;
      return pausing;
    },
  };
}
