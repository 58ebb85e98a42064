import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { budgetOf, counts, firstSlice, type Objective, SLICES, sliceOf } from './objective.ts';

const HOUR: Objective = { id: 'o', probes: ['kernel.*'], target: 0.99, windowMs: 3_600_000 };
const NOW = 1_800_000_000_000;
const slice = sliceOf(HOUR, NOW);

describe('a service level objective', () => {
  test('without results it claims nothing', () => {
    const budget = budgetOf(HOUR, [], NOW);
    assert.equal(budget.state, 'no data');
    assert.equal(budget.attained, null);
    assert.equal(budget.budgetLeft, null);
  });

  test('half of the budget is gone when half of the allowed failures happened', () => {
    const budget = budgetOf(HOUR, [{ slice: slice - 30, good: 1990, bad: 10 }], NOW);
    assert.equal(budget.attained, 0.995);
    assert.ok(Math.abs(budget.budgetLeft! - 0.5) < 1e-9);
    assert.equal(budget.burnRateShort, null, 'nothing in the last twelfth');
    assert.equal(budget.state, 'met');
  });

  test('failures that go on now are told from failures that are over', () => {
    const old = { slice: slice - 40, good: 10_000, bad: 0 };
    assert.equal(budgetOf(HOUR, [old, { slice, good: 95, bad: 5 }], NOW).state, 'burning');
    assert.equal(
      budgetOf(
        HOUR,
        [
          { ...old, bad: 5 },
          { slice, good: 100, bad: 0 },
        ],
        NOW,
      ).state,
      'met',
    );
  });

  test('a budget that is used up is exhausted', () => {
    assert.equal(budgetOf(HOUR, [{ slice, good: 50, bad: 50 }], NOW).state, 'exhausted');
  });

  test('what is older than the window does not count', () => {
    const before = { slice: firstSlice(HOUR, NOW) - 1, good: 0, bad: 1000 };
    assert.equal(budgetOf(HOUR, [before], NOW).state, 'no data');
    assert.equal(budgetOf(HOUR, [{ ...before, slice: before.slice + 1 }], NOW).bad, 1000);
  });

  test('the budget depends on the sums alone, falls with each failure, and is exhausted exactly when the target is missed', () => {
    const slices = fc.array(
      fc.record({ slice: fc.integer({ min: slice - SLICES + 1, max: slice }), good: fc.nat(500), bad: fc.nat(20) }),
      { minLength: 1, maxLength: 30 },
    );
    const target = fc.integer({ min: 500, max: 999 }).map((n) => n / 1000);
    fc.assert(
      fc.property(slices, target, (given, goal) => {
        const objective = { ...HOUR, target: goal };
        const budget = budgetOf(objective, given, NOW);
        const good = given.reduce((sum, one) => sum + one.good, 0);
        const bad = given.reduce((sum, one) => sum + one.bad, 0);
        assert.deepEqual([budget.good, budget.bad], [good, bad]);
        assert.deepEqual(budgetOf(objective, given.toReversed(), NOW), budget);
        if (good + bad === 0) return;
        const worse = budgetOf(objective, [...given, { slice, good: 0, bad: 1 }], NOW);
        assert.ok(good === 0 || worse.budgetLeft! < budget.budgetLeft!);
        const margin = good / (good + bad) - goal;
        if (Math.abs(margin) > 1e-9) assert.equal(budget.budgetLeft! > 0, margin > 0);
        assert.equal(budget.state === 'exhausted', budget.budgetLeft! <= 0);
      }),
    );
  });

  test('a pattern with a star counts every probe that begins so', () => {
    assert.equal(counts(HOUR, 'kernel.librarian'), true);
    assert.equal(counts(HOUR, 'site'), false);
    assert.equal(counts({ ...HOUR, probes: ['site'] }, 'site'), true);
    assert.equal(counts({ ...HOUR, probes: ['site'] }, 'site2'), false);
  });
});
