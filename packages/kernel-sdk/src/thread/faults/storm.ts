import type { HeldLease } from './fault.ts';

/** Work of one turn, ms: short enough that heartbeats, probes and verbs are answered between two. */
const TURN_MS = 2;

/** A callback that orders itself again for ever: a whole core is burnt while the event loop turns. */
export function immediateStorm(lease: HeldLease): void {
  const turn = (): void => {
    if (!lease.active()) return;
    const end = performance.now() + TURN_MS;
    while (performance.now() < end);
    setImmediate(turn);
  };
  turn();
}
