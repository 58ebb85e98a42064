import type { TrialExpectation, TrialResult } from '@grace/contracts';
import type { JournalWriter } from './journal-writer.ts';

export const EXPECT: TrialExpectation = {
  detectedBy: ['heartbeat'],
  detectWithinMs: 1000,
  recoverWithinMs: 2000,
  mayRestart: [],
  targetRestarts: 0,
  latencyFactor: 3,
  latencySlackMs: 20,
  recoveredBy: ['probe', 'heartbeat'],
  playbook: null,
};

interface Started {
  correlation: string;
  injectedMono: number;
  from: number;
  effect: number;
  inject: number;
}

export function startTrial(
  journal: JournalWriter,
  trial: { id: string; wave: number; scenario: string; title: string; variant: string; target: string; kind: string },
  expect: TrialExpectation,
  proven: boolean,
): Started {
  const { id, wave, scenario, title, variant, target, kind } = trial;
  const correlation = `c-${id}`;
  const lease = `l-${id}`;
  const severity = wave === 1 ? 'low' : 'high';
  const from = journal.add(
    'trial:start',
    { trial: id, wave, scenario, title, variant, number: 1, target, severity, lease, correlation, expect },
    { correlation },
  );
  journal.wait(5);
  const inject = journal.add('fault:inject', { lease, target, kind }, { correlation });
  const injectedMono = journal.mono + 10;
  journal.wait(30);
  const effect = journal.add(
    'fault:effect',
    { lease, proven, observed: proven ? { beats: 0, cpuMs: 3 } : { denied: 0 }, atMono: injectedMono },
    { correlation },
  );
  return { correlation, injectedMono, from, effect, inject };
}

type Base = Pick<TrialResult, 'trial' | 'scenario' | 'title' | 'target' | 'severity'> & { variant?: string };

export function trialResult(
  base: Base,
  injectedAtMs: number,
  records: { from: number; to: number },
  [ttd, ttm, ttr]: readonly (number | null)[],
): TrialResult {
  const at = (after: number | null | undefined) =>
    after === null || after === undefined ? null : injectedAtMs + after;
  const measured = (after: number | null | undefined) =>
    after === null || after === undefined ? { moreThanMs: 60_000 } : { ms: after };
  const method =
    base.scenario === 'S02_acl_spam' ? 'bus_counter' : base.scenario === 'S04_kernel_crash' ? 'exit' : 'heartbeat';
  return {
    variant: '',
    ...base,
    number: 1,
    verdict: 'held',
    reasons: [],
    effect: { proven: true, observed: { beats: 0, cpuMs: 3 } },
    injectedAtMs,
    detectedAtMs: at(ttd),
    mitigatedAtMs: at(ttm),
    recoveredAtMs: at(ttr),
    ttdMs: measured(ttd),
    ttmMs: measured(ttm),
    ttrMs: measured(ttr),
    detectors: ttd === null || ttd === undefined ? [] : [{ method, atMs: injectedAtMs + ttd }],
    playbook: null,
    escalated: false,
    verification: [],
    collateralRestarts: [],
    messages: { accepted: 50, handled: 50, rejected: 0, expired: 0, deadLettered: 0, waiting: 0, lost: 0 },
    latency: { quietP99Ms: 3, duringP99Ms: 9 },
    evidence: [],
    records,
  };
}
