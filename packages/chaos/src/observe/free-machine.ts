import { GraceError, systemClock } from '@grace/contracts';
import type { ControlClient } from '@grace/control';
import { machineCpu } from '../fault/process-table.ts';
import { pause } from './wait.ts';

/** Share of all cores that may be busy before the laboratory fills them. */
const FREE = 0.85;
const LOOK_MS = 300;
const DEADLINE_MS = 15_000;

/**
 * Waits until the machine has cores to fill and nobody holds it for full: otherwise nobody could notice that it became so, and whose load
 * it was would be anybody's guess.
 * @throws GraceError `CONFLICT` when it stays full
 */
export async function awaitFreeMachine(
  control: ControlClient,
  signal: AbortSignal,
  deadlineMs = DEADLINE_MS,
): Promise<void> {
  const end = systemClock.monoMs() + deadlineMs;
  for (;;) {
    const before = machineCpu();
    await pause(LOOK_MS, signal);
    const now = machineCpu();
    const busy = before && now ? (now.busy - before.busy) / Math.max(1, now.total - before.total) : 0;
    const incidents = await control.request('incidents', {});
    const isHeldForFull = incidents.some(
      ({ kind, closedMono }) => kind === 'cpu_saturation' && closedMono === undefined,
    );
    if (busy < FREE && !isHeldForFull) return;
    if (systemClock.monoMs() >= end || signal.aborted) {
      const percent = Math.round(busy * 100);
      throw new GraceError(
        'CONFLICT',
        `the machine was full before the fault (${percent} % busy), so nothing could be seen`,
      );
    }
  }
}
