import { readlinkSync } from 'node:fs';
import { SLOT } from '@grace/contracts';

/** Stamps the telemetry slot every `intervalMs`, unless a heartbeat fault holds it back, and calls `count` in any case. Returns its end. */
export function startHeartbeat(
  slot: BigInt64Array,
  intervalMs: number,
  isPaused: () => boolean,
  count: () => void = () => {},
): () => void {
  const stamp = (): void => {
    count();
    if (isPaused()) return;
    Atomics.store(slot, SLOT.heartbeatNs, process.hrtime.bigint());
    Atomics.add(slot, SLOT.beats, 1n);
  };
  stamp();
  const timer = setInterval(stamp, intervalMs);
  return () => clearInterval(timer);
}

/** The operating system's id of this thread, by which anybody can read its CPU time; 0 where /proc does not tell. */
export function readThreadId(): number {
  try {
    return Number(readlinkSync('/proc/thread-self').split('/').pop());
  } catch {
    return 0;
  }
}
