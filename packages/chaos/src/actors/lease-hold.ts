import { systemClock } from '@grace/contracts';
import type { ActorEnd } from './protocol.ts';

/**
 * The actor's own side of its lease. `untilNs` is the monotonic instant after which nothing may act any more; it stands in shared memory,
 * so a thread that spins reads it without being told, whatever the main thread is doing.
 */
export interface LeaseHold {
  readonly untilNs: BigInt64Array<SharedArrayBuffer>;
  readonly signal: AbortSignal;
  /** Why it ended; null while it holds. */
  readonly why: ActorEnd | null;
  renew(): void;
  end(why: ActorEnd): void;
  /** Ends it when the work is over, and says why: a thread that watches the deadline may be faster than the timer here. */
  settle(): ActorEnd;
}

export function holdLease(lease: { durationMs: number; ttlMs: number }): LeaseHold {
  const untilNs = new BigInt64Array(new SharedArrayBuffer(8));
  const abort = new AbortController();
  const expiresMono = systemClock.monoMs() + lease.durationMs;
  let timer: NodeJS.Timeout | undefined;
  let why: ActorEnd | null = null;
  /** Which of the two bounds comes first. */
  let next: ActorEnd = 'lapsed';

  const end = (reason: ActorEnd): void => {
    if (why !== null) return;
    why = reason;
    clearTimeout(timer);
    Atomics.store(untilNs, 0, 0n);
    abort.abort();
  };
  const renew = (): void => {
    if (why !== null) return;
    const now = systemClock.monoMs();
    const left = Math.min(lease.ttlMs, expiresMono - now);
    next = expiresMono - now <= lease.ttlMs ? 'expired' : 'lapsed';
    if (left <= 0) {
      end('expired');
      return;
    }
    Atomics.store(untilNs, 0, BigInt(Math.ceil((now + left) * 1e6)));
    clearTimeout(timer);
    timer = setTimeout(() => end(next), left);
  };
  renew();
  return {
    untilNs,
    signal: abort.signal,
    get why() {
      return why;
    },
    renew,
    end,
    settle() {
      const isOver = process.hrtime.bigint() >= Atomics.load(untilNs, 0);
      end(isOver ? next : 'done');
      return why!;
    },
  };
}
