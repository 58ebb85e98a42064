import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { findChanges, leastP } from './change.ts';
import { compare } from './compare.ts';
import { seeded } from './random.ts';
import { quantile, shareOf, summarise } from './summary.ts';
import { trendOf } from './trend.ts';

const OPTIONS = { alpha: 0.05, side: 5, counts: false };

/** Series that never change: of times, of counts with many ties, of heavy tails. */
const STATIONARY: Record<string, (random: () => number) => number> = {
  uniform: (random) => 100 + 50 * random(),
  exponential: (random) => -100 * Math.log(1 - random()),
  counts: (random) => Math.floor(3 * random() ** 3),
  'heavy tails': (random) => 10 / (1 - random()),
};

describe('a change point', () => {
  for (const [name, draw] of Object.entries(STATIONARY)) {
    test(`is reported in series of ${name} that never change no more often than promised`, () => {
      const runs = 400;
      let alarms = 0;
      for (let seed = 0; seed < runs; seed++) {
        const random = seeded(seed * 7919 + 13);
        const values = Array.from({ length: 40 }, () => draw(random));
        if (findChanges(values, { ...OPTIONS, random: seeded(seed) }).length > 0) alarms++;
      }
      // 5 % and three standard errors of as many runs.
      assert.ok(alarms <= runs * (0.05 + 3 * Math.sqrt((0.05 * 0.95) / runs)), `${alarms} alarms in ${runs}`);
    });
  }

  test('that was planted is found where it is, whatever its sign', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 8, max: 40 }),
        fc.integer({ min: 8, max: 40 }),
        fc.constantFrom(0.3, 3),
        fc.integer(),
        (before, after, factor, seed) => {
          const random = seeded(seed);
          const values = Array.from(
            { length: before + after },
            (_, i) => (100 + 20 * random()) * (i < before ? 1 : factor),
          );
          const changes = findChanges(values, { ...OPTIONS, alpha: 0.01, random });
          // Beside it, chance may find another one now and then.
          const change = changes.find(({ index }) => index === before);
          assert.ok(change, `${JSON.stringify(changes)}`);
          assert.equal(change.shift > 0, factor > 1);
        },
      ),
      { numRuns: 50, seed: 1 },
    );
  });

  test('is found twice in a series that went up and came down', () => {
    const random = seeded(4);
    const values = Array.from({ length: 60 }, (_, i) => 100 + 10 * random() + (i >= 20 && i < 40 ? 100 : 0));
    const changes = findChanges(values, { ...OPTIONS, random });
    assert.deepEqual(
      changes.map(({ index, shift }) => [index, shift > 0]),
      [
        [20, true],
        [40, false],
      ],
    );
  });

  test('is never reported where too few values could show one', () => {
    assert.deepEqual(findChanges([1, 1, 1, 1, 9, 9, 9, 9, 9], { ...OPTIONS, random: seeded(1) }), []);
    assert.deepEqual(findChanges([1, 1, 1, 1, 1, 9, 9, 9, 9, 9], { ...OPTIONS, alpha: 0.001, random: seeded(1) }), []);
    // Ten choose five, both orders.
    assert.equal(leastP(10), 2 / 252);
  });

  test('of the same series is the same each time', () => {
    const random = seeded(9);
    const values = Array.from({ length: 50 }, (_, i) => random() * 10 + (i > 30 ? 6 : 0));
    const find = () => findChanges(values, { ...OPTIONS, random: seeded(values.length) });
    assert.deepEqual(find(), find());
  });
});

describe('a comparison of two samples', () => {
  test('agrees with the exact distribution of all orders', () => {
    // 5 against 5 without overlap: one order of 252.
    const { pHigher, pLower, shift } = compare([1, 2, 3, 4, 5], [11, 12, 13, 14, 15], false);
    assert.ok(Math.abs(pHigher - 1 / 252) < 0.004, String(pHigher));
    assert.ok(pLower > 0.99);
    assert.equal(shift, 10);
  });

  test('calls nothing higher that is the same', () => {
    const { pHigher, pLower } = compare([0, 0, 0, 0, 0], [0, 0, 0, 0, 0], true);
    assert.deepEqual([pHigher, pLower], [1, 1]);
  });
});

describe('a trend', () => {
  const at = (values: readonly number[]) => values.map((value, i) => ({ atMs: i * 3_600_000, value }));

  test('of a straight line is its slope, of an hour', () => {
    const rising = trendOf(at(Array.from({ length: 20 }, (_, i) => 5 + 2 * i)), 0.05);
    assert.deepEqual([rising?.direction, rising?.perHour], ['rising', 2]);
    assert.ok(rising!.p < 1e-6);
    const falling = trendOf(at(Array.from({ length: 20 }, (_, i) => 5 - 3 * i)), 0.05);
    assert.deepEqual([falling?.direction, falling?.perHour], ['falling', -3]);
  });

  test('is not seen in values that come in no order, more often than promised', () => {
    const runs = 400;
    let seen = 0;
    for (let seed = 0; seed < runs; seed++) {
      const random = seeded(seed * 31 + 7);
      if (trendOf(at(Array.from({ length: 30 }, () => random())), 0.05)!.direction !== 'none') seen++;
    }
    assert.ok(seen <= runs * (0.05 + 3 * Math.sqrt((0.05 * 0.95) / runs)), `${seen} in ${runs}`);
  });

  test('is not told of nine values, nor seen where all are the same', () => {
    assert.equal(trendOf(at([1, 2, 3, 4, 5, 6, 7, 8, 9]), 0.05), undefined);
    assert.equal(trendOf(at(new Array(20).fill(4)), 0.05)?.direction, 'none');
  });
});

describe('a summary', () => {
  const values = fc.array(fc.double({ min: 0, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 60 });

  test('lies within its values and does not hang on their order', () => {
    fc.assert(
      fc.property(values, fc.double({ min: 0, max: 1, noNaN: true }), (all, share) => {
        const found = quantile(all, share)!;
        assert.ok(found >= Math.min(...all) && found <= Math.max(...all));
        assert.equal(quantile(all.toReversed(), share), found);
      }),
    );
  });

  test('says nothing of nothing, and no 95th percentile of few', () => {
    assert.deepEqual(summarise([]), { n: 0, median: null, p95: null });
    assert.equal(summarise([1, 2, 3]).p95, null);
    assert.equal(summarise(Array.from({ length: 21 }, (_, i) => i)).p95, 19);
  });

  test("of successes has Wilson's interval, which holds the share and shrinks with its number", () => {
    assert.deepEqual(shareOf(0, 0), { successes: 0, n: 0, share: null, interval: null });
    assert.deepEqual(
      shareOf(10, 10).interval!.map((bound) => bound.toFixed(4)),
      ['0.7225', '1.0000'],
    );
    assert.deepEqual(
      shareOf(50, 100).interval!.map((bound) => bound.toFixed(4)),
      ['0.4038', '0.5962'],
    );
    fc.assert(
      fc.property(fc.nat(1000), fc.nat(1000), (good, bad) => {
        fc.pre(good + bad > 0);
        const { share, interval } = shareOf(good, good + bad);
        const [low, high] = interval!;
        assert.ok(low >= 0 && low <= share! + 1e-12 && high >= share! - 1e-12 && high <= 1);
        const more = shareOf(2 * good, 2 * (good + bad)).interval!;
        assert.ok(more[1] - more[0] <= high - low + 1e-12);
      }),
    );
  });
});
