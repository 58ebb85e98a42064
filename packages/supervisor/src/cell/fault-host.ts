import { type FaultLease, GraceError, SLOT, systemClock, type ThreadFault } from '@grace/contracts';
import { openSilentPipe, type SilentPipe } from './silent-pipe.ts';
import type { ThreadHandle } from './thread-handle.ts';

interface Held {
  lease: FaultLease;
  thread: ThreadHandle | null;
  endMono: number;
  lapseMono: number;
  /** What the thread reads from, when that is its fault. */
  pipe: SilentPipe | null;
}

export interface FaultHost {
  apply(lease: FaultLease): { appliedMono: number };
  renew(id: string): { active: boolean };
  undo(id: string): { verified: boolean };
  list(): { id: string; kind: string; target: string; untilMono: number }[];
  stop(): void;
}

/** How often leases are looked at, ms. The thread itself ends a fault by the time in its slot, also between two looks. */
const LOOK_MS = 50;

/** A blocked agent hears no end of its lease: it ends by itself, and no later than this, ms. */
const LONGEST_BLOCK_MS = 30_000;

/**
 * Holds the leases of faults in this cell. A fault acts while its lease is renewed; a runner that is gone ends all its faults by silence.
 */
export function createFaultHost(
  find: (kernel: string) => ThreadHandle | undefined,
  onUndone: (lease: FaultLease, why: 'lapsed' | 'expired' | 'target gone') => void,
): FaultHost {
  const leases = new Map<string, Held>();

  const untilNs = (held: Held): bigint => BigInt(Math.round(Math.min(held.endMono, held.lapseMono) * 1000)) * 1000n;
  const extend = (held: Held): void => {
    held.lapseMono = systemClock.monoMs() + held.lease.ttlMs;
    if (held.thread) Atomics.store(held.thread.slot, SLOT.faultUntilNs, untilNs(held));
  };
  const end = (id: string): void => {
    const held = leases.get(id);
    leases.delete(id);
    if (held?.thread) Atomics.store(held.thread.slot, SLOT.faultUntilNs, 0n);
    held?.pipe?.release();
  };

  /** Runs only while a lease is held: a system at rest pays nothing for faults it could have. */
  let timer: NodeJS.Timeout | undefined;
  const look = (): void => {
    const now = systemClock.monoMs();
    for (const [id, held] of leases) {
      const gone = held.thread !== null && find(held.lease.target) !== held.thread;
      const why = gone ? 'target gone' : now >= held.endMono ? 'expired' : now >= held.lapseMono ? 'lapsed' : null;
      if (!why) continue;
      end(id);
      onUndone(held.lease, why);
    }
    if (leases.size === 0) rest();
  };
  const rest = (): void => {
    clearInterval(timer);
    timer = undefined;
  };

  return {
    apply(lease) {
      const now = systemClock.monoMs();
      if (lease.kind === 'segmentation_fault') {
        // After the answer has left: the whole process ends here, by the real signal.
        setTimeout(() => process.kill(process.pid, 'SIGSEGV'), 5);
        return { appliedMono: now };
      }
      if (lease.kind === 'agent_block') {
        const forMs = Math.min(lease.durationMs, LONGEST_BLOCK_MS);
        setTimeout(() => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, forMs), 5);
        return { appliedMono: now };
      }
      const thread = find(lease.target);
      if (!thread || thread.incarnation !== lease.incarnation) {
        throw new GraceError('FAULT_TARGET', `${lease.target} is not here in incarnation ${lease.incarnation}`);
      }
      for (const held of leases.values()) {
        if (held.thread === thread)
          throw new GraceError('CONFLICT', `${lease.target} holds the fault ${held.lease.kind} already`);
      }
      const pipe = lease.kind === 'fifo_read' ? openSilentPipe() : null;
      const held: Held = { lease, thread, endMono: now + lease.durationMs, lapseMono: now + lease.ttlMs, pipe };
      leases.set(lease.id, held);
      timer ??= setInterval(look, LOOK_MS);
      extend(held);
      const params = pipe ? { ...lease.params, fd: pipe.fd } : lease.params;
      thread.send({ t: 'fault', kind: lease.kind as ThreadFault, lease: lease.id, params });
      return { appliedMono: now };
    },
    renew(id) {
      const held = leases.get(id);
      if (!held) return { active: false };
      extend(held);
      return { active: true };
    },
    undo(id) {
      end(id);
      return { verified: !leases.has(id) };
    },
    list: () =>
      Array.from(leases.values(), (held) => ({
        id: held.lease.id,
        kind: held.lease.kind,
        target: held.lease.target,
        untilMono: Math.min(held.endMono, held.lapseMono),
      })),
    stop() {
      // A thread that still sits in a read would keep its process from ending.
      for (const id of leases.keys()) end(id);
      rest();
    },
  };
}
