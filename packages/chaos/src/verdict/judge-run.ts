import { type AnyRecord, DETECTORS, EXIT, type RunResult, type TrialResult, type WaveResult } from '@grace/contracts';
import { collateralOf, falseRestarts } from './collateral.ts';
import { exitOf } from './exit.ts';
import { judgeTrial } from './judge-trial.ts';
import { type RecordSet, recordsOfRun } from './record-set.ts';
import { spansOf } from './trial-span.ts';

/**
 * What the journal of a run proves. Pure: the same records give the same result, in whatever order they are given. `...AtMs` are
 * milliseconds since `run:start`; `successRate` is held trials by all trials, 0..1.
 * @param records the journal from the boot on
 * @param run the run to judge; default the last one
 */
export function judgeRun(records: readonly AnyRecord[], run?: string): RunResult {
  const set = recordsOfRun(records, run);
  if (!set) return NOTHING_RAN;
  const spans = spansOf(set);
  const collateral = collateralOf(set, spans);
  const trials = spans.map((span) => ({
    wave: span.start.data.wave,
    result: judgeTrial(set, span, spans, collateral),
  }));
  const waves = wavesOf(set, trials);
  const count = (verdict: TrialResult['verdict']): number =>
    trials.filter(({ result }) => result.verdict === verdict).length;
  const fired = new Set(set.during('detector:fire').map(({ data }) => data.method));
  const totals = {
    waves: waves.filter(({ trials }) => trials.length > 0).length,
    held: count('held'),
    broken: count('broken'),
    inconclusive: count('inconclusive'),
    successRate: trials.length === 0 ? null : count('held') / trials.length,
    ...kernelsOf(set),
    escalations: set.during('incident:escalate').length,
    falseRestarts: falseRestarts(collateral),
    lostMessages: set
      .during('workload:sample')
      .reduce((sum, { data }) => sum + data.messages.lost + (data.durable?.lost ?? 0), 0),
    ...(set.end?.data.conservation ? { conservation: set.end.data.conservation } : {}),
  };
  return {
    waves,
    totals,
    silentDetectors: DETECTORS.filter((method) => !fired.has(method)),
    exit: exitOf(set, waves, totals),
  };
}

function wavesOf(set: RecordSet, trials: readonly { wave: number; result: TrialResult }[]): WaveResult[] {
  const named = new Map<number, string>();
  for (const record of [...set.during('wave:start'), ...set.during('wave:skip')])
    named.set(record.data.wave, record.data.severity);
  const steady = (wave: number, when: 'before' | 'after'): boolean | null =>
    set.during('steady:check').findLast(({ data }) => data.wave === wave && data.when === when)?.data.ok ?? null;
  return [...named]
    .sort(([a], [b]) => a - b)
    .map(([n, severity]) => ({
      n,
      severity,
      steadyStateBefore: steady(n, 'before'),
      steadyStateAfter: steady(n, 'after'),
      skipped:
        set
          .during('wave:skip')
          .filter(({ data }) => data.wave === n)
          .map(({ data }) => data.reason)
          .join('; ') || null,
      trials: trials.filter(({ wave }) => wave === n).map(({ result }) => result),
    }));
}

function kernelsOf(set: RecordSet): Pick<RunResult['totals'], 'kernelsBooted' | 'kernelsFinal' | 'kernelsTotal'> {
  const states = new Map<string, string>();
  const known = new Set(set.of('system:boot').at(-1)?.data.kernels ?? []);
  for (const record of set.of('kernel:state')) {
    if (record.kernel === undefined) continue;
    known.add(record.kernel);
    states.set(record.kernel, record.data.to);
  }
  const ready = set.of('system:ready').findLast((record) => record.seq < set.start.seq);
  return {
    kernelsBooted: ready?.data.ready ?? 0,
    kernelsFinal: [...states.values()].filter((state) => state === 'running').length,
    kernelsTotal: known.size,
  };
}

const NOTHING_RAN: RunResult = {
  waves: [],
  totals: {
    waves: 0,
    held: 0,
    broken: 0,
    inconclusive: 0,
    successRate: null,
    kernelsBooted: 0,
    kernelsFinal: 0,
    kernelsTotal: 0,
    escalations: 0,
    falseRestarts: 0,
    lostMessages: 0,
  },
  silentDetectors: [...DETECTORS],
  exit: { code: EXIT.inconclusive, reason: 'The journal holds no run.' },
};
