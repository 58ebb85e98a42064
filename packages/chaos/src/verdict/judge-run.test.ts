import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type AnyRecord, EXIT } from '@grace/contracts';
import fc from 'fast-check';
import { other, trialOf, verdictOf } from '../../test/judged.ts';
import { type Event, STORY, story } from '../../test/story.ts';
import { judgeRun } from './judge-run.ts';

describe('the run', () => {
  const [end] = STORY['after']!.filter(({ name }) => name === 'run:end');
  const ending = (data: object): Event[] => [
    ...STORY['after']!.slice(0, 2),
    { ...end!, data: { ...end!.data, ...data } } as Event,
  ];

  test('what is left behind outranks everything', () => {
    const after = ending({ cleanup: { ok: false, left: ['process 7'] }, interrupted: true });
    assert.deepEqual(judgeRun(story({ after, detection: [] })).exit.code, EXIT.cleanupIncomplete);
  });

  test('an interrupted run says so', () => {
    assert.equal(judgeRun(story({ after: ending({ interrupted: true }) })).exit.code, EXIT.interrupted);
  });

  test('a system that does not come back after a wave is broken, though every trial held', () => {
    const after = [
      { ...STORY['after']![0]!, data: { wave: 1, when: 'after', ok: false, heldMs: 0, checks: [] } } as Event,
      end!,
    ];
    assert.equal(judgeRun(story({ after })).exit.code, EXIT.broken);
  });

  test('a kernel that is down at the end makes the run broken', () => {
    const down: Event = {
      at: 6000,
      name: 'kernel:state',
      kernel: 'librarian',
      data: { from: 'running', to: 'failed', reason: '' },
    };
    const result = judgeRun(story({ down: [down] }));
    assert.equal(result.exit.code, EXIT.broken);
    assert.match(result.exit.reason, /1 of 2 kernels/);
  });

  test('a wave that was not run is never a pass', () => {
    const skip: Event = { at: 6520, name: 'wave:skip', data: { wave: 2, severity: 'high', reason: 'kernels down' } };
    const result = judgeRun(story({ skip: [skip] }));
    assert.equal(result.exit.code, EXIT.inconclusive);
    assert.equal(result.waves[1]!.skipped, 'kernels down');
  });

  test('a journal without a run, a run without a trial and a run without an end are no pass', () => {
    assert.equal(judgeRun([]).exit.code, EXIT.inconclusive);
    assert.equal(judgeRun(story({ trial: [], exit: [], restart: [] })).exit.code, EXIT.inconclusive);
    assert.equal(judgeRun(story({ after: STORY['after']!.slice(0, 2) })).exit.code, EXIT.inconclusive);
  });

  test('a restart between trials counts as a false one', () => {
    const result = judgeRun(story({ other: [other(6000)] }));
    assert.equal(result.totals.falseRestarts, 1);
    assert.equal(result.exit.code, EXIT.broken);
  });

  test('an earlier run in the same journal changes nothing, and can still be judged', () => {
    const first = story({ detection: [] });
    const second = story().map((record) => ({
      ...record,
      seq: record.seq + first.length,
      monoMs: record.monoMs + 10_000,
      ...(record.name === 'run:start' ? { data: { ...record.data, run: 'r2' } } : {}),
      ...(record.name === 'fault:effect' ? { data: { ...record.data, atMono: record.data.atMono + 10_000 } } : {}),
      ...(record.name === 'trial:observe' ? { data: { ...record.data, atMono: record.data.atMono + 10_000 } } : {}),
    })) as AnyRecord[];
    assert.equal(judgeRun([...first, ...second]).exit.code, EXIT.held);
    assert.equal(judgeRun([...first, ...second], 'r1').exit.code, EXIT.broken);
  });

  test('the order in which records are given changes nothing', () => {
    const records = story();
    const expected = judgeRun(records);
    fc.assert(
      fc.property(fc.shuffledSubarray(records, { minLength: records.length }), (shuffled) => {
        assert.deepEqual(judgeRun(shuffled), expected);
      }),
      { numRuns: 50 },
    );
  });

  test('records that are about something else change no verdict', () => {
    const irrelevant = fc.array(
      fc.record({
        at: fc.integer({ min: 1001, max: 6590 }),
        kind: fc.constantFrom('lag', 'probe', 'denied', 'playbook', 'fire'),
      }),
      { maxLength: 15 },
    );
    const eventOf = ({ at, kind }: { at: number; kind: string }): Event => {
      if (kind === 'lag') return { at, name: 'system:lag', data: { lagMs: 30 } };
      if (kind === 'probe')
        return { at, name: 'kernel:probe', kernel: 'librarian', data: { ok: true, ms: 3, why: 'routine' } };
      if (kind === 'denied')
        return { at, name: 'bus:denied', data: { principal: 'x', subject: 's', count: 1, sinceMs: 1 } };
      if (kind === 'fire')
        return {
          at,
          name: 'detector:fire',
          data: { method: 'metric', incident: 'i7', subject: 'machine', evidence: {} },
        };
      return {
        at,
        name: 'playbook:start',
        data: { run: 'p', playbook: 'q', incident: 'i7', target: 'x', dryRun: false },
      };
    };
    fc.assert(
      fc.property(irrelevant, (extra) => {
        const trial = trialOf(story({ extra: extra.map(eventOf) }));
        assert.equal(trial.verdict, 'held', trial.reasons.join('\n'));
        assert.deepEqual(trial.ttrMs, { ms: 129 });
      }),
      { numRuns: 100 },
    );
  });

  test('no part of the evidence can be taken away without losing the verdict', () => {
    for (const part of ['effect', 'detection', 'before', 'sample', 'end', 'observations', 'ready', 'quiet']) {
      assert.notEqual(verdictOf({ [part]: [] }), 'held', `held without ${part}`);
    }
  });

  test('every reason of a verdict names the records it rests on', () => {
    const { reasons } = trialOf(story());
    assert.ok(reasons.filter((reason) => /#\d+/.test(reason)).length >= 5, reasons.join('\n'));
    assert.ok(
      reasons.every((reason) => !reason.includes('undefined')),
      reasons.join('\n'),
    );
  });
});
