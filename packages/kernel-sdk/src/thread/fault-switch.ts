import { GraceError, SLOT, type ThreadFault } from '@grace/contracts';

/**
 * Faults a thread can do to itself. Loaded only in an armed system. When a fault ends stands in the telemetry slot, written by the cell
 * agent: so a lease that lapses ends even a thread that spins and hears no messages.
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
      bite();
    },
    cpu_spin: () => {
      setImmediate(() => {
        bite();
        while (active());
      });
    },
    uncaught_throw: () => {
      setImmediate(() => {
        bite();
        throw new GraceError('INTERNAL', 'drill: uncaught error in a kernel');
      });
    },
    process_exit: () => {
      setImmediate(() => {
        bite();
        process.exit(7);
      });
    },
  };
  return {
    apply: (kind) => faults[kind](),
    heartbeatPaused: () => {
      if (pausing && !active()) pausing = false;
      return pausing;
    },
  };
}
