import { slownessExcused } from '../verdict/withheld.ts';
import type { CheckContext, CheckResult } from './context.ts';

/** Verbs of neighbours over the control lane, compared with the quiet before the first wave. */
export function othersLatency({ sample, quiet, variant, withheld }: CheckContext): CheckResult {
  const { latencyFactor, latencySlackMs } = variant.expect;
  const bound = quiet.verbs.p99Ms * latencyFactor + latencySlackMs;
  const { p99Ms } = sample.verbs;
  const excuse = p99Ms > bound ? slownessExcused(withheld(), sample, p99Ms, bound) : null;
  return {
    expected: `p99 at most ${bound.toFixed(1)} ms`,
    observed: `${p99Ms.toFixed(1)} ms over ${sample.verbs.ok} calls${excuse === null ? '' : `; ${excuse}`}`,
    ok: sample.verbs.ok === 0 || quiet.verbs.ok === 0 || excuse !== null ? null : p99Ms <= bound,
  };
}

/** Messages of others over the same bus, there and back, compared with the steady state just before. `slackMs` is what a busy machine adds. */
export function othersRoundTrips({ sample, baseline }: CheckContext, slackMs: string | number | null): CheckResult {
  const during = sample.roundTrips;
  const before = baseline.roundTrips;
  const isKnown = during !== undefined && before !== undefined && during.count > 0 && before.count > 0;
  if (!isKnown) {
    return { expected: 'round trips before and during', observed: 'too few messages came back', ok: null };
  }
  const bound = before.p99Ms * FACTOR + Number(slackMs);
  return {
    expected: `p99 at most ${bound.toFixed(1)} ms: ${FACTOR} times the ${before.p99Ms.toFixed(1)} ms before, plus ${slackMs} ms`,
    observed: `p99 ${during.p99Ms.toFixed(1)} ms, p50 ${during.p50Ms.toFixed(1)} ms over ${during.count} messages`,
    ok: during.p99Ms <= bound,
  };
}

/** A flood that is refused leaves the 99th percentile of others within this many times the one before. */
const FACTOR = 2;
