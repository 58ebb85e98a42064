import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { seeded } from '../judge/random.ts';
import { judgeExperiment, LOOKS } from './watch.ts';

const random = seeded(11);
const around = (level: number, count: number) => Array.from({ length: count }, () => level + level * 0.2 * random());
const OPTIONS = { counts: false, looks: 0, late: false };

describe('an experiment', () => {
  test('that helps is kept, one that makes it worse is rolled back, and one value decides nothing', () => {
    const before = around(300, 20);
    assert.equal(judgeExperiment(before, around(100, 5), OPTIONS).decision, 'keep');
    assert.equal(judgeExperiment(before, around(900, 5), OPTIONS).decision, 'roll back');
    for (const value of [1, 100_000]) assert.equal(judgeExperiment(before, [value], OPTIONS).decision, 'go on');
    assert.equal(judgeExperiment(before, [...around(300, 4), 100_000], OPTIONS).decision, 'go on');
  });

  test('that changes nothing is rolled back at its last look, or when its time is over', () => {
    const before = around(300, 20);
    assert.equal(judgeExperiment(before, around(300, 5), OPTIONS).decision, 'go on');
    assert.equal(judgeExperiment(before, around(300, LOOKS.at(-1)!), OPTIONS).decision, 'roll back');
    const late = judgeExperiment(before, [], { ...OPTIONS, late: true });
    assert.deepEqual([late.decision, /too few/.test(late.why)], ['roll back', true]);
  });

  test('is looked at when a look is due, and not in between', () => {
    const first = judgeExperiment(around(300, 20), around(300, 6), OPTIONS);
    assert.deepEqual([first.decision, first.looks], ['go on', 1]);
    // So good a value would be kept, if this were a look.
    assert.equal(judgeExperiment(around(300, 20), around(1, 7), { ...OPTIONS, looks: 1 }).decision, 'go on');
  });

  test('with a knob that does nothing is kept no more often than promised, however often it is looked at', () => {
    const runs = 120;
    let kept = 0;
    for (let run = 0; run < runs; run++) {
      const draw = seeded(run * 6151 + 5);
      const values = Array.from({ length: 20 + LOOKS.at(-1)! }, () => -100 * Math.log(1 - draw()));
      let looks = 0;
      for (let n = 1; n <= LOOKS.at(-1)!; n++) {
        const verdict = judgeExperiment(values.slice(0, 20), values.slice(20, 20 + n), { ...OPTIONS, looks });
        looks = verdict.looks;
        if (verdict.decision === 'go on') continue;
        if (verdict.decision === 'keep') kept++;
        break;
      }
    }
    assert.ok(kept <= runs * (0.05 + 3 * Math.sqrt((0.05 * 0.95) / runs)), `${kept} of ${runs}`);
  });

  test('on counts without a single event before is not taken for worse by one event', () => {
    const quiet = new Array<number>(20).fill(0);
    assert.equal(judgeExperiment(quiet, [0, 1, 0, 0, 0], { ...OPTIONS, counts: true }).decision, 'go on');
    assert.equal(judgeExperiment(quiet, [3, 4, 3, 5, 4], { ...OPTIONS, counts: true }).decision, 'roll back');
  });
});
