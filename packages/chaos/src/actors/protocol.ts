import type { FaultLease } from '@grace/contracts';

/**
 * An actor is a process outside the system that makes trouble: it floods the bus or burns the cores. It holds its own lease. The runner
 * speaks on its standard input, the actor on its standard output, one JSON document a line.
 */
export interface ActorOrder {
  lease: Pick<FaultLease, 'id' | 'kind' | 'durationMs' | 'ttlMs' | 'params'>;
  /** Where the bus listens and the token of the principal; only for a flood. */
  bus: { socket: string; token: string } | null;
}

/** Runner -> actor. Nothing happens before `begin`. */
export type ToActor = { t: 'begin'; order: ActorOrder } | { t: 'renew' } | { t: 'stop' };

/** Actor -> runner. */
export type FromActor =
  | { t: 'ready'; pid: number }
  /** It acts from this instant of the monotonic clock on. */
  | { t: 'acting'; atMono: number }
  | { t: 'count'; atMono: number; counts: ActorCounts }
  | { t: 'end'; why: ActorEnd; atMono: number; counts: ActorCounts }
  | { t: 'failed'; code: string; message: string };

/** Numbers by name: `denied`, `muted`, `accepted`, `sent`, `cpuMs`, ... */
export type ActorCounts = Record<string, number>;

export type ActorEnd = 'done' | 'requested' | 'lapsed' | 'expired' | 'parent gone';

/** How an actor tells that its order makes no sense, as its exit code. */
export const ACTOR_FAILED = 70;
