import { GraceError, SLOT, type ThreadFault } from '@grace/contracts';
import type { Fault, HeldLease } from './faults/fault.ts';
import { atomicsWait, catastrophicRegex, endlessLoop, readFifo } from './faults/hang.ts';
import { growBuffers, growHeap, hugeAllocation } from './faults/memory.ts';
import { immediateStorm } from './faults/storm.ts';
import { tornWrite } from './faults/torn.ts';

/**
 * Faults a thread can do to itself. Loaded only in an armed system. When a fault ends stands in the telemetry slot, written by the cell
 * agent: so a lease that lapses ends even a thread that spins and hears no messages, and one that has lapsed before the thread came to it
 * does nothing.
 */
export interface FaultSwitch {
  apply(kind: ThreadFault, params: Readonly<Record<string, unknown>>): void;
  heartbeatPaused(): boolean;
}

export function createFaultSwitch(slot: BigInt64Array): FaultSwitch {
  let pausing = false;
  const lease: HeldLease = { active: () => process.hrtime.bigint() < Atomics.load(slot, SLOT.faultUntilNs) };
  const bite = (): void => void Atomics.store(slot, SLOT.faultBitNs, process.hrtime.bigint());
  const faults: Record<ThreadFault, Fault> = {
    heartbeat_pause: () => {
      pausing = true;
    },
    cpu_spin: endlessLoop,
    catastrophic_regex: catastrophicRegex,
    atomics_wait: atomicsWait,
    fifo_read: readFifo,
    cpu_storm: immediateStorm,
    heap_leak: growHeap,
    external_leak: growBuffers,
    huge_allocation: hugeAllocation,
    uncaught_throw: () => {
      throw new GraceError('INTERNAL', 'drill: uncaught error in a kernel');
    },
    process_exit: () => process.exit(7),
    torn_write: tornWrite,
  };
  return {
    apply(kind, params) {
      // In a turn of its own, so that the message that brought it is handled.
      setImmediate(() => {
        if (!lease.active()) return;
        bite();
        faults[kind](lease, params);
      });
    },
    heartbeatPaused: () => {
      if (pausing && !lease.active()) pausing = false;
      return pausing;
    },
  };
}
