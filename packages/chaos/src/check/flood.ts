import { processExists } from '../fault/process-table.ts';
import type { CheckContext, CheckResult } from './context.ts';

/** Counted by the two ends of the flood themselves: what the broker says about it is not asked. */
export function acceptedHandled({ injection }: CheckContext): CheckResult {
  const { accepted = 0, handled = 0, unhandled, repeated = 0 } = injection.counts();
  return {
    expected: 'every accepted message handled at least once',
    observed: `${accepted} accepted, ${handled} handled, ${repeated} of them brought again, ${unhandled ?? 'unknown'} not handled`,
    ok: unhandled === undefined || accepted === 0 ? null : unhandled === 0,
  };
}

/** A flood that is taken whole, however fast it comes, has met no back-pressure. */
export function pushedBack({ injection }: CheckContext): CheckResult {
  const { sent = 0, accepted = 0, overloaded, slowestMs = 0 } = injection.counts();
  return {
    expected: 'messages refused with BUS_OVERLOADED',
    observed: `${overloaded ?? 'unknown'} of ${sent} refused with BUS_OVERLOADED, ${accepted} accepted, the slowest after ${slowestMs} ms`,
    ok: overloaded === undefined || sent === 0 ? null : overloaded > 0,
  };
}

/** A flood on the data lane must not delay a heartbeat. */
export function heartbeatsFresh({ observations, actedMono, injection }: CheckContext): CheckResult {
  const expected = 'a fresh heartbeat of every observed kernel at each look while the fault acted';
  if (actedMono === null) return { expected, observed: 'the fault was not seen to act', ok: null };
  const until = actedMono + injection.lease.durationMs;
  const looks = observations.filter(
    ({ atMono, heartbeat }) => atMono > actedMono && atMono < until && heartbeat !== null,
  );
  const stale = looks.filter(({ heartbeat }) => heartbeat === false).length;
  return {
    expected,
    observed: `${looks.length - stale} of ${looks.length} looks found them fresh`,
    ok: looks.length === 0 ? null : stale === 0,
  };
}

export function hogEnded({ injection }: CheckContext): CheckResult {
  return {
    expected: `process ${injection.pid} gone`,
    observed: injection.pid !== null && processExists(injection.pid) ? 'it runs' : 'it is gone',
    ok: injection.pid === null ? null : !processExists(injection.pid),
  };
}
