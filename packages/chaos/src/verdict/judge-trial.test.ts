import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { EXIT } from '@grace/contracts';
import { other, trialOf, verdictOf } from '../../test/judged.ts';
import { altered, type Event, EXPECT, STORY, story } from '../../test/story.ts';
import { judgeRun } from './judge-run.ts';

describe('the verdict', () => {
  test('a story in which every promise is kept is held, with its four clocks', () => {
    const result = judgeRun(story());
    const [trial] = result.waves[0]!.trials;
    assert.equal(trial!.verdict, 'held', trial!.reasons.join('\n'));
    assert.deepEqual(result.exit, { code: EXIT.held, reason: 'All 1 trials held.' });
    assert.equal(trial!.injectedAtMs, 3111);
    assert.deepEqual(trial!.ttdMs, { ms: 5 });
    assert.deepEqual(trial!.ttmMs, { ms: 6 });
    // Back when it was ready; the first look that agrees came later.
    assert.deepEqual(trial!.ttrMs, { ms: 129 });
    assert.deepEqual(trial!.detectors, [{ method: 'exit', atMs: 3116 }]);
    assert.equal(result.totals.kernelsFinal, 2);
    assert.equal(result.totals.successRate, 1);
  });

  const broken: [string, Record<string, Event[]>, RegExp][] = [
    ['nothing noticed it', { detection: [] }, /Not noticed by exit/],
    ['it was noticed too late', { detection: [{ ...STORY['detection']![0]!, at: 5400 }] }, /later than the 1000 ms/],
    [
      'it was noticed by another method only',
      { detection: altered('detection', (data) => ({ ...data, method: 'log_activity' })) },
      /only by log_activity #/,
    ],
    ['the target never came back', { ready: [] }, /Not recovered/],
    ['nothing was seen to be well again', { observations: STORY['observations']!.slice(0, 3) }, /Not recovered/],
    ['a check is false', { checks: altered('checks', (data) => ({ ...data, ok: false })) }, /state_intact: false/],
    [
      'an accepted message was lost',
      {
        sample: altered('sample', (data) => ({
          ...data,
          messages: { accepted: 50, handled: 49, rejected: 0, lost: 1 },
        })),
      },
      /1 of 50 accepted messages were lost/,
    ],
    [
      'a neighbour refused a call',
      { sample: altered('sample', (data) => ({ ...data, verbs: { ok: 19, failed: 1, p50Ms: 2, p99Ms: 5 } })) },
      /1 of 20 verb calls/,
    ],
    [
      'neighbours were slow',
      { sample: altered('sample', (data) => ({ ...data, verbs: { ok: 20, failed: 0, p50Ms: 2, p99Ms: 900 } })) },
      /p99 of the neighbours' verbs was 900/,
    ],
    ['an untouched kernel was restarted', { other: [other(4300)] }, /Collateral: librarian was restarted \(hung\)/],
    ['the target was restarted twice', { again: [other(4180, 'scheduler')] }, /restarted 2 times/],
  ];
  for (const [what, changes, reason] of broken) {
    test(`is broken when ${what}`, () => {
      const result = judgeRun(story(changes));
      const [trial] = result.waves[0]!.trials;
      assert.equal(trial!.verdict, 'broken', trial!.reasons.join('\n'));
      assert.match(trial!.reasons[0]!, reason);
      assert.equal(result.exit.code, EXIT.broken);
    });
  }

  test('a kernel that goes back among others as planned is no collateral, one that only says so is', () => {
    const move: Event = {
      at: 4290,
      name: 'kernel:move',
      kernel: 'librarian',
      data: { from: 'solo_librarian', to: 'work', why: 'return' },
    };
    const back = (at: number, cause = 'isolate'): Event => ({
      at,
      name: 'kernel:restart',
      kernel: 'librarian',
      data: { cause, attempt: 0, delayMs: 0, by: 'isolate' },
    });
    const ready: Event = { at: 4350, name: 'kernel:ready', kernel: 'librarian', data: { readyMs: 50, probe: {} } };
    assert.equal(verdictOf({ other: [move, back(4300), ready] }), 'held');
    assert.equal(verdictOf({ other: [back(4300), ready] }), 'broken');
    assert.equal(verdictOf({ other: [move, back(4300, 'hung'), ready] }), 'broken');
    assert.equal(verdictOf({ other: [move, back(4300), ready, back(4400)] }), 'broken');
  });

  test('a limit is the first thing done about an overload, and lifting it is not', () => {
    const limit = (at: number, cpu: number | null): Event => ({
      at,
      name: 'kernel:limit',
      kernel: 'scheduler',
      correlation: 'c1',
      data: { cpu, method: 'inspector', why: 'overload', by: 'supervisor' },
    });
    assert.deepEqual(trialOf(story({ limit: [limit(4114, 0.5)] })).ttmMs, { ms: 3 });
    assert.deepEqual(trialOf(story({ limit: [limit(4114, null)] })).ttmMs, { ms: 6 });
  });

  test('files that were kept about the fault are evidence, those about another are not', () => {
    const kept = (file: string, incident: string | null, kernel = 'scheduler'): Event => ({
      at: 4120,
      name: 'kernel:evidence',
      kernel,
      data: { kind: 'stack', incident, file, bytes: 1, top: [] },
    });
    const { evidence } = trialOf(
      story({
        kept: [
          kept('evidence/i1/a.txt', 'i1'),
          kept('evidence/i2/b.txt', 'i2'),
          kept('evidence/scheduler/c.txt', null),
          kept('evidence/librarian/d.txt', null, 'librarian'),
        ],
      }),
    );
    assert.deepEqual(
      evidence.filter((one) => !one.startsWith('#')),
      ['evidence/i1/a.txt', 'evidence/scheduler/c.txt'],
    );
  });

  test('an incident about what the fault leaves behind belongs to it', () => {
    const about = (events: Event[]): Event[] =>
      events.map((event) => {
        const { kernel: _, correlation: __, ...rest } = event as Event & { kernel?: string; correlation?: string };
        return JSON.parse(JSON.stringify(rest).replaceAll('"scheduler"', '"flood_consumer/drill"')) as Event;
      });
    const foreign = { incident: about(STORY['incident']!), detection: about(STORY['detection']!) };
    assert.equal(verdictOf(foreign), 'broken');
    const trial = altered('trial', (data) => ('expect' in data ? { ...data, also: ['flood_consumer/drill'] } : data));
    assert.equal(verdictOf({ ...foreign, trial }), 'held');
  });

  const inconclusive: [string, Record<string, Event[]>, RegExp][] = [
    ['no effect was recorded', { effect: [] }, /no record of an effect/],
    ['the effect was not proven', { effect: altered('effect', (data) => ({ ...data, proven: false })) }, /not proven/],
    ['no steady state came before', { before: [] }, /No steady state was established/],
    [
      'the baseline was unhealthy',
      { before: altered('before', (data) => ({ ...data, ok: false })) },
      /not in its steady state/,
    ],
    ['a check is unknown', { checks: altered('checks', (data) => ({ ...data, ok: null })) }, /could not be evaluated/],
    [
      'the runner was starved',
      { end: altered('end', (data) => ({ ...data, runnerLagMsMax: 900 })) },
      /stood still for 900 ms/,
    ],
    ['the trial has no end', { end: [] }, /did not end/],
    ['there is no sample of the workload', { sample: [] }, /no workload sample/],
    ['there is no quiet sample', { quiet: [] }, /Latency could not be compared/],
  ];
  for (const [what, changes, reason] of inconclusive) {
    test(`is inconclusive when ${what}`, () => {
      const result = judgeRun(story(changes));
      const [trial] = result.waves[0]!.trials;
      assert.equal(trial!.verdict, 'inconclusive', trial!.reasons.join('\n'));
      assert.match(trial!.reasons[0]!, reason);
      assert.equal(result.exit.code, EXIT.inconclusive);
    });
  }

  test('a false check is not excused by an unknown one', () => {
    const both = [
      ...altered('checks', (data) => ({ ...data, ok: false })),
      ...altered('checks', (data) => ({ ...data, check: 'muted', ok: null })),
    ];
    assert.equal(verdictOf({ checks: both }), 'broken');
  });

  test('a starved runner cannot break a trial by what it measured, the journal of the supervisor can', () => {
    const end = altered('end', (data) => ({ ...data, runnerLagMsMax: 900 }));
    assert.equal(verdictOf({ end, observations: [] }), 'inconclusive');
    assert.equal(verdictOf({ end, other: [other(4300)] }), 'broken');
  });

  test('what another trial of the same moment may restart is no harm of this one', () => {
    const neighbour = altered('trial', (data) => data).map((event) =>
      event.name === 'trial:start'
        ? ({
            ...event,
            at: 4105,
            data: {
              ...event.data,
              trial: 't2',
              lease: 'l2',
              correlation: 'c2',
              target: 'librarian',
              expect: { ...EXPECT, mayRestart: ['librarian'] },
            },
          } as Event)
        : event,
    );
    assert.equal(verdictOf({ other: [other(4300)], neighbour }), 'held');
    assert.equal(judgeRun(story({ other: [other(4300)], neighbour })).totals.falseRestarts, 0);
  });

  test('a detector that fired for another fault is none of this one', () => {
    const neighbour = altered('trial', (data) => ({
      ...data,
      trial: 't2',
      lease: 'l2',
      correlation: 'c2',
      target: 'scheduler',
    }));
    const detection = STORY['detection']!.map((event) => ({ ...event, correlation: 'c2' }));
    const incident = STORY['incident']!.map((event) => ({ ...event, correlation: 'c2' }));
    assert.equal(verdictOf({ neighbour: neighbour.slice(0, 1), detection, incident }), 'broken');
  });

  test('a pause that is not seen yet is not recovered from', () => {
    // Everything looks well for a second before the effect is seen, and not afterwards.
    const early = STORY['observations']!.map(
      (event) => ({ ...event, data: { ...event.data, probe: true, heartbeat: true, workload: true } }) as Event,
    );
    const effect = [{ ...STORY['effect']![0]!, at: 5490 }];
    assert.deepEqual(trialOf(story({ exit: [], restart: [], ready: [], effect, observations: early })).ttrMs, {
      moreThanMs: 1409,
    });
  });

  test('an expected playbook must run for an incident of this fault', () => {
    const trial = altered('trial', (data) =>
      'expect' in data ? { ...data, expect: { ...EXPECT, playbook: 'fix' } } : data,
    );
    const start = (incident: string): Event[] => [
      {
        at: 4200,
        name: 'playbook:start',
        data: { run: 'p1', playbook: 'fix', incident, target: 'scheduler', dryRun: false },
      },
    ];
    assert.equal(verdictOf({ trial }), 'broken');
    assert.equal(verdictOf({ trial, playbook: start('i9') }), 'broken');
    const held = trialOf(story({ trial, playbook: start('i1') }));
    assert.equal(held.verdict, 'held', held.reasons.join('\n'));
    assert.equal(held.playbook, 'fix');
  });
});
