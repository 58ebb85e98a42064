import type { TrialExpectation, TrialResult, WaveResult } from '@grace/contracts';
import type { FixtureOptions } from './fixture-options.ts';
import type { JournalWriter } from './journal-writer.ts';
import { EXPECT, startTrial, trialResult } from './trial-fixture.ts';

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

export function workload(journal: JournalWriter, trial: string | null, p99Ms: number, lost: number): number {
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

export function firstWave(
  journal: JournalWriter,
  seq: Record<string, number>,
  options: FixtureOptions,
  word: (text: string) => string,
): WaveResult {
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
  const opened = { openedMono: journal.mono, escalated: false, correlation };
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
  if (options.reacts === true) react(journal, seq, correlation, word);
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

/** All that may be done about a kernel beside a restart, each once. */
function react(
  journal: JournalWriter,
  seq: Record<string, number>,
  correlation: string,
  word: (text: string) => string,
): void {
  const about = { kernel: 'librarian', cell: 'work', correlation };
  const limit = { method: 'inspector', why: 'overload', by: 'supervisor' } as const;
  seq.limit = journal.add('kernel:limit', { cpu: 0.5, ...limit }, about);
  seq.lift = journal.add('kernel:limit', { ...limit, cpu: null, why: 'manifest' }, about);
  const memory = { of: 'heap', bytes: 220 * 1024 ** 2, limitBytes: 256 * 1024 ** 2, ratio: 0.859 } as const;
  seq.pressure = journal.add('kernel:pressure', { ...memory, bytesPerSecond: 40 * 1024 ** 2 }, about);
  seq.stack = journal.add(
    'kernel:evidence',
    {
      kind: 'stack',
      incident: 'i-1',
      file: 'evidence/i-1/stack.txt',
      bytes: 1234,
      top: ['active faults.ts:4:7', word('endlessLoop faults.ts:10:3'), 'a', 'b', 'c', 'd', 'e'],
    },
    about,
  );
  seq.stuck = journal.add(
    'kernel:stuck',
    { rung: word('terminate did not return'), evidence: { next: 'SIGKILL of the cell' } },
    about,
  );
  seq.move = journal.add('kernel:move', { from: 'work', to: 'solo_librarian', why: 'solitary' }, about);
  const segment = word('0000000000000001.segment');
  const flaw = { kind: 'checksum', segment, offset: 900, seq: 21, message: word('record 21 is not as written') };
  seq.damaged = journal.add(
    'record:damaged',
    { ledger: 'immutable_log', count: 1, problems: [flaw] },
    { kernel: 'immutable_log', correlation },
  );
  const repair = { by: 'self_healing', epoch: 2, lost: 0, disputed: 0, restored: [segment], tookMs: 41 };
  seq.repaired = journal.add(
    'record:repaired',
    { ledger: 'immutable_log', action: 'restored', ...repair },
    { kernel: 'immutable_log', correlation },
  );
  const consumer = word('flood_consumer/drill');
  const backlog = { consumer, pattern: 'task.code_refactor', waiting: 1200, bytes: 90_000, oldestMs: 2500 };
  seq.backlog = journal.add('bus:backlog', { ...backlog, over: true }, { kernel: 'message_bus', correlation });
  journal.add('bus:backlog', { ...backlog, waiting: 0, over: false }, { kernel: 'message_bus', correlation });
  // About another kernel, in the same time: none of this trial's business.
  journal.add('kernel:pressure', { ...memory, bytesPerSecond: null }, { kernel: 'trigger_mesh', cell: 'edge' });
}

export function secondWave(
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
  const opened = { openedMono: journal.mono, escalated: false, correlation };
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
