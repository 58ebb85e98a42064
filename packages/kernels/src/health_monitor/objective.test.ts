import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  type Budget,
  budgetOf,
  counts,
  firstSlice,
  type Objective,
  RESULTS_MIN,
  SLICES,
  type Slice,
  sliceOf,
  withinOf,
} from './objective.ts';

const HOUR: Objective = { id: 'o', probes: ['kernel.*'], target: 0.99, windowMs: 3_600_000 };
const NOW = 1_800_000_000_000;
const slice = sliceOf(HOUR, NOW);
const budget = (objective: Objective, slices: readonly Slice[], nowMs: number): Budget =>
  budgetOf(objective, withinOf(slices, sliceOf(objective, nowMs)));

describe('a service level objective', () => {
  test('without results it claims nothing', () => {
    const found = budget(HOUR, [], NOW);
    assert.equal(found.state, 'no data');
    assert.equal(found.attained, null);
    assert.equal(found.budgetLeft, null);
  });

  test('half of the budget is gone when half of the allowed failures happened', () => {
    const found = budget(HOUR, [{ slice: slice - SLICES / 2, good: 1990, bad: 10 }], NOW);
    assert.equal(found.attained, 0.995);
    assert.ok(Math.abs(found.budgetLeft! - 0.5) < 1e-9);
    assert.equal(found.burnRateShort, null, 'nothing in the last twelfth');
    assert.equal(found.state, 'met');
  });

  test('failures that go on now are told from failures that are over', () => {
    const old = { slice: slice - (SLICES * 2) / 3, good: 10_000, bad: 0 };
    assert.equal(budget(HOUR, [old, { slice, good: 95, bad: 5 }], NOW).state, 'burning');
    assert.equal(
      budget(
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
    assert.equal(budget(HOUR, [{ slice, good: 50, bad: 50 }], NOW).state, 'exhausted');
  });

  test('what is older than the window does not count', () => {
    const before = { slice: firstSlice(HOUR, NOW) - 1, good: 0, bad: 1000 };
    assert.equal(budget(HOUR, [before], NOW).state, 'no data');
    assert.equal(budget(HOUR, [{ ...before, slice: before.slice + 1 }], NOW).bad, 1000);
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
        const found = budget(objective, given, NOW);
        const good = given.reduce((sum, one) => sum + one.good, 0);
        const bad = given.reduce((sum, one) => sum + one.bad, 0);
        assert.deepEqual([found.good, found.bad], [good, bad]);
        assert.deepEqual(budget(objective, given.toReversed(), NOW), found);
        if (good + bad === 0) return;
        const worse = budget(objective, [...given, { slice, good: 0, bad: 1 }], NOW);
        assert.ok(good === 0 || worse.budgetLeft! < found.budgetLeft!);
        const margin = good / (good + bad) - goal;
        if (Math.abs(margin) > 1e-9) assert.equal(found.budgetLeft! > 0, margin > 0);
        assert.equal(found.state === 'exhausted', found.budgetLeft! <= 0);
      }),
    );
  });

  test('a pattern with a star counts every probe that begins so', () => {
    assert.equal(counts(HOUR, 'kernel.librarian'), true);
    assert.equal(counts(HOUR, 'site'), false);
    assert.equal(counts({ ...HOUR, probes: ['site'] }, 'site'), true);
    assert.equal(counts({ ...HOUR, probes: ['site'] }, 'site2'), false);
  });

  const history = fc.array(
    fc.record({
      // Near the present and anywhere in the window, a little outside included.
      slice: fc.oneof(
        fc.integer({ min: slice - SLICES - 5, max: slice + 2 }),
        fc.integer({ min: slice - SLICES / 10, max: slice }),
        fc.integer({ min: slice - SLICES / 720, max: slice }),
      ),
      good: fc.nat(50),
      bad: fc.nat(20),
    }),
    { maxLength: 60 },
  );
  const target = fc.double({ min: 0.5, max: 0.999999, noNaN: true });

  test('windows add up: a longer one holds the shorter ones, and disjoint parts sum to the whole', () => {
    fc.assert(
      fc.property(history, fc.integer({ min: 1, max: SLICES - 1 }), (given, cut) => {
        const within = withinOf(given, slice);
        const [part, whole] = [within(cut), within(SLICES)];
        const before = withinOf(given, slice - cut)(SLICES - cut);
        assert.deepEqual([part.good + before.good, part.bad + before.bad], [whole.good, whole.bad]);
        assert.ok(part.good <= whole.good && part.bad <= whole.bad);
      }),
    );
  });

  test('what is left lies between untouched and what remains when everything fails; rates are never negative', () => {
    fc.assert(
      fc.property(history, target, (given, goal) => {
        const found = budget({ ...HOUR, target: goal }, given, NOW);
        const worst = 1 / (1 - goal);
        for (const rate of [
          found.burnRate,
          found.burnRateShort,
          ...found.alerts.flatMap(({ long, short }) => [long, short]),
        ])
          assert.ok(rate === null || (rate >= 0 && rate <= worst + 1e-6), `${rate}`);
        if (found.budgetLeft === null) assert.equal(found.good + found.bad, 0);
        else assert.ok(found.budgetLeft <= 1 && found.budgetLeft >= 1 - worst - 1e-6);
        assert.equal(found.attained === null, found.state === 'no data');
      }),
    );
  });

  test('the rules of the workbook: thresholds and windows over 30 days', () => {
    const days = { ...HOUR, windowMs: 30 * 86_400_000 };
    const hour = 3_600_000;
    const rules = budget(days, [], NOW).alerts.map((one) => [
      one.severity,
      +one.threshold.toFixed(6),
      one.longMs,
      one.shortMs,
    ]);
    assert.deepEqual(rules, [
      ['page', 14.4, hour, hour / 12],
      ['page', 6, 6 * hour, hour / 2],
      ['ticket', 1, 72 * hour, 6 * hour],
    ]);
  });

  test('an alert fires exactly when both of its windows burn, and enough was seen', () => {
    fc.assert(
      fc.property(history, target, (given, goal) => {
        const objective = { ...HOUR, target: goal };
        for (const alert of budget(objective, given, NOW).alerts) {
          const slices = (ms: number): Slice[] => {
            const count = Math.round((ms / HOUR.windowMs) * SLICES);
            return given.filter((one) => one.slice > slice - count && one.slice <= slice);
          };
          const rate = (counted: Slice[]): number => {
            const bad = counted.reduce((sum, one) => sum + one.bad, 0);
            const all = bad + counted.reduce((sum, one) => sum + one.good, 0);
            return all === 0 ? Number.NaN : bad / all / (1 - goal);
          };
          const long = slices(alert.longMs);
          const seen = long.reduce((sum, { good, bad }) => sum + good + bad, 0);
          const expected =
            seen >= RESULTS_MIN && rate(long) >= alert.threshold && rate(slices(alert.shortMs)) >= alert.threshold;
          assert.equal(alert.firing, expected);
        }
      }),
      { numRuns: 300 },
    );
  });

  test('an outage pages at once, and the page ends soon after it', () => {
    const calm: Slice[] = Array.from({ length: SLICES }, (_, i) => ({ slice: slice - SLICES + i, good: 20, bad: 0 }));
    const at = (minutes: number, slices: Slice[]): string[] =>
      budget(HOUR, slices, NOW + (minutes * HOUR.windowMs) / 43_200)
        .alerts.filter(({ firing }) => firing)
        .map(({ severity }) => severity);
    assert.deepEqual(at(0, calm), []);
    const outage = Array.from({ length: 12 }, (_, i) => ({ slice: slice + i, good: 0, bad: 20 }));
    assert.ok(at(59, [...calm, ...outage]).includes('page'));
    const over = Array.from({ length: 12 }, (_, i) => ({ slice: slice + 12 + i, good: 20, bad: 0 }));
    assert.deepEqual(
      at(90, [...calm, ...outage, ...over]).filter((severity) => severity === 'page'),
      [],
    );
  });
});
