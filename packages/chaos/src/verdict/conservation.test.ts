import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { altered, type Event, story } from '../../test/story.ts';
import { judgeRun } from './judge-run.ts';

const trialOf = (changes: Record<string, Event[]>) => judgeRun(story(changes)).waves[0]!.trials[0]!;

const AGREED = {
  totals: { accepted: 90, handled: 80, rejected: 4, expired: 3, deadLettered: 2, waiting: 1 },
  unaccounted: 0,
  differences: [],
  why: null,
};

describe('the accounts of the messages in a verdict', () => {
  const broken: [string, Record<string, Event[]>, RegExp][] = [
    [
      'an accepted durable message was lost',
      {
        sample: altered('sample', (data) => ({
          ...data,
          durable: { accepted: 9, handled: 8, rejected: 0, repeated: 2, lost: 1 },
        })),
      },
      /1 of 9 accepted durable messages were lost/,
    ],
    [
      'the broker cannot account for what it accepted',
      { sample: altered('sample', (data) => ({ ...data, broker: { ...AGREED, unaccounted: 3 } })) },
      /3 messages the broker accepted are neither/,
    ],
    [
      'the broker and the workload count differently',
      { sample: altered('sample', (data) => ({ ...data, broker: { ...AGREED, differences: ['accepted: 3, 5'] } })) },
      /contradict those of the workload: accepted: 3, 5/,
    ],
  ];
  for (const [what, changes, reason] of broken) {
    test(`is broken when ${what}`, () => {
      const trial = trialOf(changes);
      assert.equal(trial.verdict, 'broken', trial.reasons.join('\n'));
      assert.match(trial.reasons[0]!, reason);
    });
  }

  test('both accounts of the messages stand in the trial, each by itself', () => {
    const durable = { accepted: 9, handled: 9, rejected: 1, repeated: 2, lost: 0 };
    const sample = altered('sample', (data) => ({ ...data, durable, broker: AGREED }));
    const trial = trialOf({ sample });
    assert.equal(trial.verdict, 'held', trial.reasons.join('\n'));
    const none = { expired: 0, deadLettered: 0, waiting: 0, lost: 0 };
    assert.deepEqual(trial.conservation, {
      workload: { accepted: 50, handled: 50, rejected: 0, ...none },
      durable: { accepted: 9, handled: 9, rejected: 1, ...none },
      broker: { ...AGREED.totals, lost: 0 },
      differences: [],
      why: null,
    });
    assert.deepEqual(trial.messages, {
      ...{ accepted: 59, handled: 59, rejected: 1 },
      ...{ expired: 3, deadLettered: 2, waiting: 1, lost: 0 },
    });
  });

  test('a broker that was restarted is not compared, and that alone concludes nothing', () => {
    const broker = { totals: null, unaccounted: 0, differences: null, why: 'the broker was restarted' };
    const trial = trialOf({ sample: altered('sample', (data) => ({ ...data, broker })) });
    assert.equal(trial.verdict, 'held', trial.reasons.join('\n'));
    assert.equal(trial.conservation!.why, 'the broker was restarted');
  });

  test('of the whole run come from its end, and lost durable messages count among the lost', () => {
    const lost = { accepted: 9, handled: 7, rejected: 0, repeated: 0, lost: 2 };
    const { totals } = judgeRun(story({ sample: altered('sample', (data) => ({ ...data, durable: lost })) }));
    assert.deepEqual([totals.lostMessages, totals.conservation], [2, undefined]);
    const none = { accepted: 1, handled: 1, rejected: 0, expired: 0, deadLettered: 0, waiting: 0, lost: 0 };
    const conservation = { workload: none, durable: none, broker: none, differences: [], why: null };
    const end = story().find((record) => record.name === 'run:end')!;
    const after = [{ ...end, at: 6600, data: { ...end.data, conservation } } as unknown as Event];
    assert.deepEqual(judgeRun(story({ after })).totals.conservation, conservation);
  });
});
