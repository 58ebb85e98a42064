import type { AnyRecord, RunResult, Safeguards, TrialExpectation, TrialResult, WaveResult } from '@grace/contracts';
import { JournalWriter } from './journal-writer.ts';

export const KERNELS: readonly (readonly [id: string, cell: string])[] = [
  ['message_bus', 'core'],
  ['immutable_log', 'core'],
  ['health_monitor', 'core'],
  ['self_healing', 'repair'],
  ['memory_fusion', 'work'],
  ['librarian', 'work'],
  ['trigger_mesh', 'edge'],
];

export interface FixtureOptions {
  /** What becomes of the second trial: the crash of librarian's cell. */
  crash?: 'held' | 'broken' | 'lost';
  /** Whether the third trial's fault acts. */
  spamActs?: boolean;
  skipSecondWave?: boolean;
  interrupted?: boolean;
  left?: string[];
  safeguards?: Partial<Safeguards>;
  kernels?: readonly (readonly [string, string])[];
  /** A kernel that does not become ready. */
  failed?: string;
  runnerLagMs?: number;
  /** Put in place of names and messages. */
  hostile?: string;
}

export interface Fixture {
  records: AnyRecord[];
  result: RunResult;
  /** Sequence numbers by what they are. */
  seq: Record<string, number>;
}

const EXPECT: TrialExpectation = {
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

/** A run of two waves and three trials, as a whole system would write it. */
export function runFixture(options: FixtureOptions = {}): Fixture {
  const journal = new JournalWriter();
  const seq: Record<string, number> = {};
  const word = (text: string) => (options.hostile === undefined ? text : `${text} ${options.hostile}`);
  boot(journal, seq, options, word);
  journal.wait(40);
  seq.run = journal.add('run:start', {
    run: 'r-7',
    seed: 7,
    command: 'grace stress --waves 2',
    version: '0.1.0',
    node: 'v26.10.0',
    cores: 2,
    commit: '0123456789abcdef0123456789abcdef01234567',
    dirty: false,
    waves: 2,
    trials: 1,
    scenarios: ['S01_heartbeat_pause', 'S02_acl_spam', 'S04_kernel_crash'],
  });
  workload(journal, null, 3, 0);
  const waves = [firstWave(journal, seq, word), secondWave(journal, seq, options, word)];
  workload(journal, null, 4, 0);
  if (options.interrupted !== true) end(journal, seq, options);
  return { records: journal.records, seq, result: fold(waves, options) };
}

function boot(
  journal: JournalWriter,
  seq: Record<string, number>,
  options: FixtureOptions,
  word: (t: string) => string,
) {
  const kernels = options.kernels ?? KERNELS;
  seq.boot = journal.add('system:boot', {
    pid: 4711,
    version: '0.1.0',
    node: 'v26.10.0',
    cores: 2,
    armed: true,
    kernels: kernels.map(([id]) => id),
    safeguards: { heartbeatDetector: true, mute: true, restartEngine: true, ...options.safeguards },
  });
  for (const [kernel, cell] of kernels) {
    journal.wait(12).add('kernel:state', { from: 'waiting', to: 'starting', reason: 'boot' }, { kernel, cell });
    if (kernel === options.failed) continue;
    const probe = kernel === 'self_healing' ? { playbooks: 3, note: word('no-op healed') } : { answered: true };
    seq[`ready ${kernel}`] = journal.add('kernel:ready', { readyMs: 212.4, probe }, { kernel, cell, incarnation: 1 });
    journal.add('kernel:state', { from: 'probing', to: 'running', reason: 'probe answered' }, { kernel, cell });
  }
  const failed =
    options.failed === undefined
      ? []
      : [{ kernel: options.failed, error: { code: 'KERNEL_START' as const, message: word('no such table') } }];
  const ready = kernels.length - failed.length;
  seq.ready = journal.add('system:ready', { ready, total: kernels.length, ms: 640, failed });
}

function steady(journal: JournalWriter, wave: number, when: 'before' | 'after', ok: boolean): number {
  return journal.wait(1000).add('steady:check', {
    wave,
    when,
    ok,
    heldMs: ok ? 1000 : 0,
    checks: [
      { check: 'kernels_running', ok, observed: ok ? '7 of 7 running' : '6 of 7 running' },
      { check: 'workload_answers', ok: true, observed: 'p99 3 ms' },
    ],
  });
}

function workload(journal: JournalWriter, trial: string | null, p99Ms: number, lost: number): number {
  const fromMono = journal.mono;
  journal.wait(250);
  return journal.add('workload:sample', {
    trial,
    fromMono,
    toMono: journal.mono,
    messages: { accepted: 50, handled: 50 - lost, rejected: 0, lost },
    verbs: { ok: 20, failed: 0, p50Ms: 1.2, p99Ms },
    appends: { ok: 5, failed: 0 },
  });
}

interface Started {
  correlation: string;
  injectedMono: number;
  from: number;
  effect: number;
  inject: number;
}

function startTrial(
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

function firstWave(journal: JournalWriter, seq: Record<string, number>, word: (text: string) => string): WaveResult {
  seq.before1 = steady(journal, 1, 'before', true);
  seq.wave1 = journal.add('wave:start', { wave: 1, severity: 'low', trials: ['t1'] });
  const { correlation, injectedMono, from, effect } = startTrial(
    journal,
    {
      id: 't1',
      wave: 1,
      scenario: 'S01_heartbeat_pause',
      title: word('Heartbeat pause'),
      variant: '',
      target: 'librarian',
      kind: 'heartbeat_pause',
    },
    { ...EXPECT, recoverWithinMs: 8000 },
    true,
  );
  seq.effect1 = effect;
  journal
    .wait(280)
    .add(
      'kernel:condition',
      { from: 'healthy', to: 'late', confidence: 0.6, evidence: { ageMs: 310 } },
      { kernel: 'librarian', correlation },
    );
  const opened = { openedMono: journal.mono, openedWall: 0, escalated: false, correlation };
  seq.open1 = journal.add(
    'incident:open',
    {
      incident: {
        id: 'i-1',
        kind: 'heartbeat_gap',
        subject: 'librarian',
        title: word('Heartbeat gap'),
        severity: 'low',
        ...opened,
      },
    },
    { correlation },
  );
  seq.fire1 = journal.add(
    'detector:fire',
    { method: 'heartbeat', incident: 'i-1', subject: 'librarian', evidence: { ageMs: 310 } },
    { correlation },
  );
  workload(journal, 't1', 4, 0);
  journal.wait(4400).add('fault:undo', { lease: 'l-t1', why: 'expired', verified: true }, { correlation });
  journal
    .wait(1500)
    .add(
      'kernel:condition',
      { from: 'late', to: 'healthy', confidence: 1, evidence: {} },
      { kernel: 'librarian', correlation },
    );
  journal.add('incident:close', { id: 'i-1', outcome: 'passed by itself' }, { correlation });
  const check = journal.add('trial:check', {
    trial: 't1',
    check: 'no_restart',
    expected: '0 restarts',
    observed: '0 restarts',
    ok: true,
  });
  const to = journal.add('trial:end', { trial: 't1', timedOut: false, runnerLagMsMax: 12 });
  journal.add('wave:end', { wave: 1 });
  seq.after1 = steady(journal, 1, 'after', true);
  const trial = trialResult(
    {
      trial: 't1',
      scenario: 'S01_heartbeat_pause',
      title: word('Heartbeat pause'),
      target: 'librarian',
      severity: 'low',
    },
    injectedMono - journal.runMono,
    { from, to },
    [310, 400, 5500],
  );
  trial.verification = [{ check: 'no_restart', expected: '0 restarts', observed: word('0 restarts'), ok: true }];
  trial.evidence = [`#${check}`];
  return { n: 1, severity: 'low', steadyStateBefore: true, steadyStateAfter: true, skipped: null, trials: [trial] };
}

function secondWave(
  journal: JournalWriter,
  seq: Record<string, number>,
  options: FixtureOptions,
  word: (text: string) => string,
): WaveResult {
  if (options.skipSecondWave === true) {
    steady(journal, 2, 'before', false);
    const skipped = word('the steady state did not hold before it');
    seq.skip = journal.add('wave:skip', { wave: 2, severity: 'high', reason: skipped });
    return { n: 2, severity: 'high', steadyStateBefore: false, steadyStateAfter: null, skipped, trials: [] };
  }
  steady(journal, 2, 'before', true);
  journal.add('wave:start', { wave: 2, severity: 'high', trials: ['t2', 't3'] });
  const trials = [crash(journal, seq, options, word), spam(journal, seq, options, word)];
  journal.add('wave:end', { wave: 2 });
  const ok = options.crash !== 'lost';
  seq.after2 = steady(journal, 2, 'after', ok);
  return { n: 2, severity: 'high', steadyStateBefore: true, steadyStateAfter: ok, skipped: null, trials };
}

/** Librarian throws; `broken`: its cell goes with it and takes memory_fusion along; `lost`: it never comes back. */
function crash(
  journal: JournalWriter,
  seq: Record<string, number>,
  options: FixtureOptions,
  word: (text: string) => string,
): TrialResult {
  const end = options.crash ?? 'held';
  const expect: TrialExpectation = {
    ...EXPECT,
    detectedBy: ['exit'],
    targetRestarts: end === 'lost' ? null : 1,
    playbook: end === 'lost' ? 'kernel_heartbeat_gap' : null,
  };
  const { correlation, injectedMono, from } = startTrial(
    journal,
    {
      id: 't2',
      wave: 2,
      scenario: 'S04_kernel_crash',
      title: 'Kernel crash',
      variant: 'uncaught_throw',
      target: 'librarian',
      kind: 'uncaught_throw',
    },
    expect,
    true,
  );
  const about = { kernel: 'librarian', cell: 'work', correlation };
  seq.exit = journal
    .wait(4)
    .add('kernel:exit', { code: 1, expected: false, error: { code: 'INTERNAL', message: word('drill') } }, about);
  journal.add('kernel:state', { from: 'running', to: 'backoff', reason: 'exit' }, about);
  const opened = { openedMono: journal.mono, openedWall: 0, escalated: false, correlation };
  seq.open2 = journal.add(
    'incident:open',
    {
      incident: {
        id: 'i-2',
        kind: 'kernel_crash',
        subject: 'librarian',
        title: 'Kernel crash',
        severity: 'high',
        ...opened,
      },
    },
    { correlation },
  );
  journal.add(
    'detector:fire',
    { method: 'exit', incident: 'i-2', subject: 'librarian', evidence: {} },
    { correlation },
  );
  if (end === 'broken') collateral(journal, seq);
  const back = end !== 'lost';
  seq.restart2 = journal.add('kernel:restart', { cause: 'exit', attempt: 1, delayMs: 0, by: 'restart engine' }, about);
  if (back) {
    journal.wait(220).add('kernel:ready', { readyMs: 214, probe: { answered: true } }, about);
    journal.add('kernel:state', { from: 'probing', to: 'running', reason: 'probe answered' }, about);
  } else giveUp(journal, seq, correlation);
  seq.lost = workload(journal, 't2', back ? 9 : 80, back ? 0 : 3);
  journal.wait(1000).add('fault:undo', { lease: 'l-t2', why: 'target gone', verified: true }, { correlation });
  const check = journal.add('trial:check', {
    trial: 't2',
    check: 'state_intact',
    expected: '12 documents',
    observed: back ? '12 documents' : 'no answer',
    ok: back ? true : null,
  });
  const to = journal.add('trial:end', { trial: 't2', timedOut: !back, runnerLagMsMax: options.runnerLagMs ?? 8 });
  const trial = trialResult(
    {
      trial: 't2',
      scenario: 'S04_kernel_crash',
      title: 'Kernel crash',
      variant: 'uncaught_throw',
      target: 'librarian',
      severity: 'high',
    },
    injectedMono - journal.runMono,
    { from, to },
    [6, 10, back ? 1260 : null],
  );
  trial.evidence = [`#${check}`];
  trial.verification = [
    {
      check: 'state_intact',
      expected: '12 documents',
      observed: back ? '12 documents' : 'no answer',
      ok: back ? true : null,
    },
  ];
  if (end === 'broken')
    Object.assign(trial, {
      verdict: 'broken',
      collateralRestarts: ['memory_fusion'],
      reasons: [`memory_fusion restarted (#${seq.collateral}).`],
    });
  if (end === 'lost') {
    Object.assign(trial, {
      verdict: 'broken',
      escalated: true,
      reasons: [`librarian did not recover (#${seq.quarantine}).`],
      playbook: 'kernel_heartbeat_gap',
    });
    trial.messages.lost = 3;
  }
  return trial;
}

function collateral(journal: JournalWriter, seq: Record<string, number>) {
  const about = { kernel: 'memory_fusion', cell: 'work' };
  seq.cellExit = journal
    .wait(3)
    .add(
      'cell:exit',
      { pid: 4713, code: null, signal: 'SIGSEGV', expected: false, kernels: ['librarian', 'memory_fusion'] },
      { cell: 'work' },
    );
  journal.add('kernel:state', { from: 'running', to: 'backoff', reason: 'cell ended' }, about);
  seq.collateral = journal.add(
    'kernel:restart',
    { cause: 'cell ended', attempt: 1, delayMs: 0, by: 'restart engine' },
    about,
  );
  journal.wait(210).add('kernel:ready', { readyMs: 208, probe: { answered: true } }, about);
  journal.add('kernel:state', { from: 'probing', to: 'running', reason: 'probe answered' }, about);
}

function giveUp(journal: JournalWriter, seq: Record<string, number>, correlation: string) {
  const about = { kernel: 'librarian', cell: 'work', correlation };
  journal.add(
    'playbook:start',
    { run: 'p-1', playbook: 'kernel_heartbeat_gap', incident: 'i-2', target: 'librarian', dryRun: false },
    { correlation },
  );
  journal
    .wait(900)
    .add('playbook:step', { run: 'p-1', step: 'restart', ok: false, ms: 900, detail: 'never ready' }, { correlation });
  journal.add(
    'playbook:end',
    {
      run: 'p-1',
      playbook: 'kernel_heartbeat_gap',
      incident: 'i-2',
      outcome: 'not healed',
      ms: 905,
      detail: 'the probe did not answer',
    },
    { correlation },
  );
  seq.quarantine = journal.add(
    'kernel:quarantine',
    { restarts: 5, windowMs: 60_000, cause: 'start failed 5 times' },
    about,
  );
  journal.add('kernel:state', { from: 'backoff', to: 'quarantined', reason: 'budget' }, about);
  seq.escalate = journal.add('incident:escalate', { id: 'i-2', reason: 'restart budget used up' }, { correlation });
}

function spam(
  journal: JournalWriter,
  seq: Record<string, number>,
  options: FixtureOptions,
  word: (text: string) => string,
): TrialResult {
  const acts = options.spamActs ?? true;
  const { correlation, injectedMono, from, effect } = startTrial(
    journal,
    {
      id: 't3',
      wave: 2,
      scenario: 'S02_acl_spam',
      title: 'ACL violation flood',
      variant: 'burst',
      target: 'chaos_test',
      kind: 'acl_spam',
    },
    { ...EXPECT, detectedBy: ['bus_counter'], targetRestarts: null },
    acts,
  );
  seq.effect3 = effect;
  if (acts) {
    for (let at = 0; at < 4; at += 1)
      journal
        .wait(50)
        .add(
          'bus:denied',
          { principal: 'chaos_test', subject: word('system.control'), count: 500, sinceMs: 50 },
          { correlation },
        );
    journal.add(
      'incident:open',
      {
        incident: {
          id: 'i-3',
          kind: 'acl_violation',
          subject: 'chaos_test',
          title: 'Access rules broken',
          severity: 'moderate',
          openedMono: journal.mono,
          openedWall: 0,
          escalated: false,
          correlation,
        },
      },
      { correlation },
    );
    journal.add(
      'detector:fire',
      { method: 'bus_counter', incident: 'i-3', subject: 'chaos_test', evidence: {} },
      { correlation },
    );
    seq.muted = journal.add('bus:muted', { principal: 'chaos_test', periodMs: 2000, denied: 200 }, { correlation });
  }
  journal.wait(1200).add('fault:undo', { lease: 'l-t3', why: 'requested', verified: true }, { correlation });
  const to = journal.add('trial:end', { trial: 't3', timedOut: false, runnerLagMsMax: 9 });
  const base = {
    trial: 't3',
    scenario: 'S02_acl_spam',
    title: 'ACL violation flood',
    variant: 'burst',
    target: 'chaos_test',
    severity: 'high',
  };
  if (acts) return trialResult(base, injectedMono - journal.runMono, { from, to }, [55, 210, 1210]);
  return {
    ...trialResult(base, injectedMono - journal.runMono, { from, to }, [null, null, null]),
    verdict: 'inconclusive',
    effect: { proven: false, observed: { denied: 0 } },
    injectedAtMs: null,
    ttdMs: null,
    ttmMs: null,
    ttrMs: null,
    reasons: [`The effect of the fault was not proven (#${effect}).`],
  };
}

type Base = Pick<TrialResult, 'trial' | 'scenario' | 'title' | 'target' | 'severity'> & { variant?: string };

function trialResult(
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

function end(journal: JournalWriter, seq: Record<string, number>, options: FixtureOptions) {
  const left = options.left ?? [];
  seq.end = journal.add('run:end', {
    interrupted: false,
    cleanup: { ok: left.length === 0, left },
    runnerLagMsMax: options.runnerLagMs ?? 12,
  });
  journal.wait(50).add('system:stop', { reason: 'end of the run' });
  for (const [kernel, cell] of KERNELS)
    journal.add('kernel:state', { from: 'running', to: 'stopped', reason: 'stop' }, { kernel, cell });
  journal.add('system:stopped', { left: [] });
}

function fold(waves: WaveResult[], options: FixtureOptions): RunResult {
  const trials = waves.flatMap((wave) => wave.trials);
  const of = (verdict: string) => trials.filter((trial) => trial.verdict === verdict).length;
  const total = (options.kernels ?? KERNELS).length;
  const exit = options.interrupted
    ? { code: 130, reason: 'interrupted' }
    : (options.left ?? []).length > 0
      ? { code: 3, reason: 'cleanup incomplete' }
      : of('broken') > 0
        ? { code: 1, reason: `${of('broken')} of ${trials.length} trials broken` }
        : of('inconclusive') > 0 || options.skipSecondWave
          ? { code: 2, reason: 'not everything could be found out' }
          : { code: 0, reason: 'all trials held' };
  const booted = total - (options.failed === undefined ? 0 : 1);
  return {
    waves,
    totals: {
      waves: waves.filter((wave) => wave.skipped === null).length,
      held: of('held'),
      broken: of('broken'),
      inconclusive: of('inconclusive'),
      successRate: trials.length === 0 ? null : of('held') / trials.length,
      kernelsBooted: booted,
      kernelsFinal: options.crash === 'lost' ? booted - 1 : booted,
      kernelsTotal: total,
      escalations: options.crash === 'lost' ? 1 : 0,
      falseRestarts: options.crash === 'broken' ? 1 : 0,
      lostMessages: trials.reduce((sum, trial) => sum + trial.messages.lost, 0),
    },
    silentDetectors: ['metric', 'log_activity', 'probe'],
    exit,
  };
}
