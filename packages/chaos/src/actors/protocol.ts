import type { FaultLease } from '@grace/contracts';

/**
 * An actor is a process outside the system that makes trouble: it floods the bus or burns the cores. It holds its own lease. The runner
 * speaks on its standard input, the actor on its standard output, one JSON document a line.
 */
export interface ActorOrder {
  lease: Pick<FaultLease, 'id' | 'kind' | 'durationMs' | 'ttlMs' | 'params'>;
  /** Access as the principal of the lease; only for a flood. */
  bus: BusAccess | null;
  /** Access as the principal that `params.consumer` names; only for a flood that is consumed. */
  consumer: BusAccess | null;
  /** The audit record; only for damage to it. */
  ledger: LedgerPlace | null;
}

/** Where the bus listens, and the token of a principal. */
export interface BusAccess {
  socket: string;
  token: string;
}

/** Folders, absolute: the segments of the current epoch, and where the bytes are kept that are damaged. */
export interface LedgerPlace {
  folder: string;
  keep: string;
}

/** Name of the durable consumer of a flood below its principal. */
export const FLOOD_CONSUMER = 'drill';

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
