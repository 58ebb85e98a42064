import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { buildReport, renderJson, renderMarkdown } from '../src/index.ts';
import { section } from './read-markdown.ts';
import { report } from './reported.ts';
import { KERNELS, runFixture } from './run-fixture.ts';

describe('a run in which everything held', () => {
  const { markdown, model, charts, seq, json } = report();

  test('says so in its title, and only then', () => {
    assert.match(markdown, /^# Stress test report - 2026-11-15 - \S+ HELD\n/);
    assert.doesNotMatch(report({ crash: 'broken' }).markdown, /HELD|PASSED/);
  });

  test('has the sections of a stress report in their order', () => {
    const titles = [...markdown.matchAll(/^(##?#?) (.+)$/gm)].map((match) => match[2]!.replace(/ [^\x20-\x7e].*$/, ''));
    assert.deepEqual(titles.slice(1), [
      'Executive summary',
      'How to read this',
      'Test results',
      'Phase 1: boot',
      'Phase 2: monitoring and self-healing',
      'Phase 4: chaos scenarios',
      'Overall statistics',
      'Issues detected',
      'Systems working correctly',
      'Positive findings',
      'What was not tested',
      'Next steps',
      'Conclusion',
      'Replay',
    ]);
  });

  test('lists every kernel with cell, time to ready and first probe', () => {
    const boot = section(markdown, '### Phase 1');
    for (const [kernel, cell] of KERNELS) {
      assert.match(
        boot,
        new RegExp(`\\| \`${kernel}\` \\| \`${cell}\` \\| 212 ms \\| .*#${seq[`ready ${kernel}`]} \\|`),
      );
    }
    assert.match(boot, /7\/7 kernels ready \(100 %\)/);
  });

  test('lists the systems that can say what they know, and no others', () => {
    const systems = section(markdown, '### Phase 2');
    assert.match(systems, /Self-healing playbooks .* playbooks known: 3; playbook runs: 0/);
    assert.doesNotMatch(systems, /Runtime Trigger Monitor|Error Recognition|Refactor Task System/);
    assert.match(
      section(markdown, '## What was not tested'),
      /Not started in this system: .*Error Recognition System.*Refactor Task System/,
    );
  });

  test('gives the four instants of a trial with their distances', () => {
    const wave = section(markdown, '#### Wave 1');
    assert.match(wave, /\| injected \(first observed effect\) \| T\+1\.265 s \| 0 ms \|/);
    assert.match(wave, /\| detected \| T\+1\.575 s \| TTD 310 ms \| 1 s \|/);
    assert.match(wave, /\| mitigated \| T\+1\.665 s \| TTM 400 ms \| no objective \|/);
    assert.match(wave, /\| recovered and held \| T\+6\.765 s \| TTR 5\.5 s \| 8 s \|/);
    assert.match(wave, /Noticed by: heartbeat after 310 ms/);
    assert.match(wave, new RegExp(`Effect: .* proven, observed beats 0, cpuMs 3 \\(#${seq.effect1}\\)`));
  });

  test('gives the rate with what so few trials can prove', () => {
    const statistics = section(markdown, '## Overall statistics');
    assert.match(statistics, /\*\*Success rate\*\* \| 100 % \|/);
    assert.match(statistics, /Wilson lower bound\*\* \| 43\.9 % \(3 of 3 trials\)/);
    assert.match(statistics, /\*\*Final kernel count\*\* \| 7\/7 \(100 %\)/);
    assert.doesNotMatch(statistics, /Auto-fix/);
  });

  test('has no issue, and every working system names its evidence', () => {
    assert.deepEqual(model.issues, []);
    assert.ok(model.working.length > 5);
    for (const claim of model.working) assert.ok(claim.evidence.length > 0, claim.text);
  });

  test('puts its four charts beside it and refers to each', () => {
    const names = charts.map((chart) => chart.name);
    assert.deepEqual(names, [
      'timeline-wave-1.svg',
      'timeline-wave-2.svg',
      'kernel-health.svg',
      'workload-latency.svg',
      'recovery-times.svg',
    ]);
    for (const name of names) assert.ok(markdown.includes(`](${name})`), name);
  });

  test('ends with the command that replays it, its seed named', () => {
    assert.match(section(markdown, '## Replay'), /\ngrace stress --waves 2 --seed 7\n/);
  });

  test('every record it cites is in the journal', () => {
    const { records } = runFixture();
    for (const [, number] of markdown.matchAll(/#(\d+)/g)) assert.ok(Number(number) <= records.length, `#${number}`);
  });

  test('its JSON has the fields of the contract', () => {
    assert.deepEqual(Object.keys(json).slice(0, 8), [
      'run',
      'overall',
      'boot',
      'systems',
      'autofix',
      'waves',
      'totals',
      'exit',
    ]);
    for (const field of [
      'id',
      'seed',
      'startedAt',
      'durationMs',
      'node',
      'cores',
      'commit',
      'dirty',
      'command',
      'runnerLagMsMax',
    ])
      assert.ok(field in json.run, field);
    for (const field of ['n', 'severity', 'steadyStateBefore', 'steadyStateAfter', 'skipped', 'trials'])
      assert.ok(field in json.waves[0], field);
    for (const field of [
      'waves',
      'held',
      'broken',
      'inconclusive',
      'successRate',
      'kernelsBooted',
      'kernelsFinal',
      'kernelsTotal',
      'escalations',
      'falseRestarts',
      'lostMessages',
      'autofixTasks',
      'syntaxErrorsFound',
    ])
      assert.ok(field in json.totals, field);
    assert.deepEqual(json.exit, { code: 0, reason: 'all trials held' });
    assert.equal(json.waves[0].trials[0].ttdMs.ms, 310);
  });
});

describe('a trial that broke', () => {
  test('has the causal chain from injection to symptom as its root cause', () => {
    const { markdown, seq, model } = report({ crash: 'broken' });
    const issue = model.issues.find((candidate) => candidate.trial === 't2')!;
    assert.equal(issue.severity, 'critical');
    assert.equal(issue.rootCause.established, true);
    const chain = issue.rootCause.chain.map((step) => step.ref);
    assert.equal(chain.at(-1), `#${seq.collateral}`);
    assert.ok(chain.includes(`#${seq.cellExit}`) && chain.includes(`#${seq.exit}`));
    assert.match(markdown, new RegExp(`restarted though the fault was on librarian\\. \\(#${seq.collateral}\\)`));
    assert.match(
      markdown,
      /cell work ended \(SIGSEGV\) with librarian and memory_fusion \*\(same subject librarian as #\d+\)\*/,
    );
  });

  test('has no established root cause when no record links the symptom to the fault', () => {
    const fixture = runFixture({ crash: 'broken' });
    const records = fixture.records.filter((record) => record.name !== 'cell:exit');
    const issue = buildReport({ records, result: fixture.result }).issues.find(
      (candidate) => candidate.trial === 't2',
    )!;
    assert.equal(issue.rootCause.established, false);
    assert.match(issue.rootCause.text, /^Not established/);
  });

  test('keeps a censored time and says that messages were lost', () => {
    const { markdown, seq } = report({ crash: 'lost' });
    assert.match(markdown, /\| recovered and held \| not recorded \| TTR > 60 s \| 2 s \|/);
    assert.match(markdown, new RegExp(`3 messages accepted by the bus were lost\\.[^\\n]*#${seq.lost}`));
    assert.match(markdown, /\*\*Final kernel count\*\* \| 6\/7 \(85\.7 %\)/);
    assert.match(markdown, /librarian was quarantined/);
    assert.match(markdown, /Playbook kernel_heartbeat_gap ended not healed: the probe did not answer/);
    assert.match(markdown, /Revise playbook kernel_heartbeat_gap/);
    assert.match(markdown, /no evidence that the system is ready for production/);
  });

  test('an unknown check is no check that holds', () => {
    const { model } = report({ crash: 'lost' });
    const facets = model.waves[1]!.trials[0]!.facets.map((facet) => facet.kind);
    assert.ok(facets.includes('check unknown'));
  });

  test('a safeguard that was off is the cause, and the advice is to switch it on', () => {
    const { model, seq } = report({ crash: 'lost', safeguards: { restartEngine: false } });
    const issue = model.issues.find((candidate) => candidate.trial === 't2')!;
    assert.match(issue.rootCause.text, new RegExp(`^The restart engine was switched off at boot \\(#${seq.boot}\\)`));
    assert.ok(issue.recommendation.some((advice) => advice.text === 'Switch on the restart engine: off since boot.'));
    assert.ok(model.untested.some((claim) => /Switched off at boot: the restart engine/.test(claim.text)));
  });
});

describe('a run that found out less than it should', () => {
  test('a fault without proven effect is inconclusive, never held', () => {
    const { markdown, seq } = report({ spamActs: false });
    assert.match(markdown, /^# .* INCONCLUSIVE\n/);
    assert.match(
      markdown,
      new RegExp(`was not proven to act on chaos_test: its effect probe observed denied 0\\. \\(#${seq.effect3}\\)`),
    );
    assert.match(markdown, /Inconclusive, so not tested: S02_acl_spam on chaos_test/);
  });

  test('an exit code of 0 does not hide a broken trial', () => {
    const fixture = runFixture({ crash: 'broken' });
    const result = { ...fixture.result, exit: { code: 0, reason: 'all trials held' } };
    const model = buildReport({ records: fixture.records, result });
    assert.equal(model.overall.word, 'BROKEN');
  });

  test('a wave that was not run is an issue and is listed as not tested', () => {
    const { markdown, seq } = report({ skipSecondWave: true });
    assert.match(
      markdown,
      new RegExp(`\\*\\*Not run:\\*\\* the steady state did not hold before it \\(#${seq.skip}\\)`),
    );
    assert.match(markdown, /Wave 2 was not run/);
    assert.match(section(markdown, '## What was not tested'), /Wave 2 \(high\) was not run/);
  });

  test('an interrupted run says so and has no end', () => {
    const { markdown } = report({ interrupted: true });
    assert.match(markdown, /^# .* INTERRUPTED\n/);
    assert.match(markdown, /\*\*Cleanup\*\* - the journal has no end of the run/);
  });

  test('what was left behind outranks what held', () => {
    const { markdown } = report({ left: ['cgroup grace-x'] });
    assert.match(markdown, /^# .* CLEANUP INCOMPLETE\n/);
    assert.match(markdown, /Left behind: cgroup grace-x/);
  });

  test('a kernel that failed at boot is a critical issue with its error', () => {
    const { markdown, model } = report({ failed: 'trigger_mesh' });
    assert.match(markdown, /6\/7 kernels ready/);
    assert.match(markdown, /trigger\\?_mesh did not become ready at boot/);
    assert.match(markdown, /KERNEL_START: no such table/);
    assert.equal(model.areas.find((area) => area.name === 'Boot')?.mark, 'bad');
  });

  test('a late runner is named, with how late it was', () => {
    const { markdown } = report({ runnerLagMs: 812 });
    assert.match(markdown, /The runner's timers were late by up to 812 ms/);
  });

  test('scenarios of the catalogue that were not run are listed', () => {
    const { markdown } = report(
      {},
      { allScenarioIds: ['S01_heartbeat_pause', 'S05_kernel_hang', 'S11_full_stack_breaker'] },
    );
    assert.match(markdown, /Scenarios not run: S05_kernel_hang and S11_full_stack_breaker\./);
  });

  test('detectors that never fired are listed, and those a trial counted on are an issue', () => {
    const fixture = runFixture();
    const result = { ...fixture.result, silentDetectors: ['probe' as const, 'exit' as const] };
    const model = buildReport({ records: fixture.records, result });
    assert.ok(model.untested.some((claim) => claim.text.startsWith('Detectors that never fired: probe and exit.')));
    assert.deepEqual(
      model.issues.map((issue) => issue.id),
      ['silent:exit'],
    );
  });
});

test('of two runs in one journal, each is told without the other', () => {
  const first = runFixture({ crash: 'lost' });
  const second = runFixture();
  const shift = first.records.length;
  const later = second.records
    .filter((record) => record.name !== 'system:boot')
    .map((record) => {
      const data = record.name === 'run:start' ? { ...record.data, run: 'r-8' } : record.data;
      return {
        ...record,
        seq: record.seq + shift,
        monoMs: record.monoMs + 60_000,
        data,
      } as (typeof second.records)[number];
    });
  const records = [...first.records, ...later];
  const told = (run: string | undefined, result: typeof first.result) =>
    buildReport({ records, result, ...(run === undefined ? {} : { run }) });
  const one = told('r-7', first.result);
  assert.deepEqual([one.run.id, one.totals.restarts, one.run.runnerLagMsMax], ['r-7', 1, 12]);
  assert.deepEqual(one.issues, buildReport(first).issues);
  const two = told(undefined, second.result);
  assert.deepEqual([two.run.id, two.waves[1]!.trials[0]!.targetRestarts.length], ['r-8', 1]);
  assert.equal(two.workload.length, buildReport(second).workload.length);
});

test('the same run rendered twice is the same, byte for byte, in whatever order its records come', () => {
  for (const ascii of [false, true]) {
    const { records, result } = runFixture({ crash: 'lost', spamActs: false });
    const once = buildReport({ records, result });
    const again = buildReport(structuredClone({ records: [...records].reverse(), result }));
    assert.deepEqual(renderMarkdown(once, { ascii }), renderMarkdown(again, { ascii }));
    assert.equal(renderJson(once), renderJson(again));
  }
});
