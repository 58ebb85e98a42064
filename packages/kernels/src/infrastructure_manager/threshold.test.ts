import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import {
  CALM,
  LEVELS,
  levelOf,
  type PressureState,
  rank,
  step,
  type Thresholds,
  thresholdProblem,
} from './threshold.ts';

const thresholds: Thresholds = { raised: 0.4, high: 0.7, critical: 0.9, margin: 0.1, riseAfter: 2, fallAfter: 3 };

function follow(values: readonly number[], given: Thresholds = thresholds): PressureState[] {
  let state = CALM;
  return values.map((value) => {
    state = step(state, value, given);
    return state;
  });
}

const levels = (values: readonly number[]): string[] => follow(values).map(({ level }) => level);

describe('levels of pressure', () => {
  test('a level is entered after enough samples in a row', () => {
    assert.deepEqual(levels([0.75, 0.75]), ['normal', 'high']);
    assert.deepEqual(levels([0.75, 0.1, 0.75]), ['normal', 'normal', 'normal']);
  });

  test('the level entered is the one all samples of the row ask for', () => {
    assert.equal(levels([0.95, 0.5]).at(-1), 'raised');
  });

  test('a level is left only below its margin, and after enough samples in a row', () => {
    assert.equal(levels([0.75, 0.75, 0.65, 0.65, 0.65, 0.65]).at(-1), 'high', 'within the margin');
    assert.deepEqual(levels([0.75, 0.75, 0.2, 0.2, 0.2]).slice(-2), ['high', 'normal']);
    assert.equal(levels([0.75, 0.75, 0.2, 0.2, 0.7, 0.2, 0.2]).at(-1), 'high', 'the row was broken');
  });

  test('thresholds out of order, or a margin that swallows the lowest, are refused', () => {
    assert.equal(thresholdProblem(thresholds), undefined);
    assert.match(thresholdProblem({ ...thresholds, high: 0.3 })!, /raised < high < critical/);
    assert.match(thresholdProblem({ ...thresholds, margin: 0.4 })!, /margin/);
  });

  const values = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 60 });
  const any = fc
    .record({
      cuts: fc.uniqueArray(fc.integer({ min: 20, max: 100 }), { minLength: 3, maxLength: 3 }),
      margin: fc.integer({ min: 0, max: 19 }),
      riseAfter: fc.integer({ min: 1, max: 4 }),
      fallAfter: fc.integer({ min: 1, max: 4 }),
    })
    .map(({ cuts, margin, ...times }): Thresholds => {
      const [raised, high, critical] = cuts.sort((a, b) => a - b).map((cut) => cut / 100);
      return { raised: raised!, high: high!, critical: critical!, margin: margin / 100, ...times };
    });

  test('a value that trembles within the margin about a threshold changes the level at most once', () => {
    fc.assert(
      fc.property(
        any,
        fc.constantFrom('raised' as const, 'high' as const, 'critical' as const),
        values,
        (given, name, noise) => {
          const around = noise.map((n) => given[name] - given.margin * 0.99 + n * 0.001);
          const seen = follow(around, given).map(({ level }) => level);
          const changes = seen.filter((level, i) => i > 0 && level !== seen[i - 1]).length;
          assert.ok(changes <= 1, seen.join());
        },
      ),
    );
  });

  test('the level goes up only to what the last samples all reach, and down only to what they all allow', () => {
    fc.assert(
      fc.property(any, values, (given, samples) => {
        const states = follow(samples, given);
        states.forEach(({ level }, i) => {
          const before = states[i - 1]?.level ?? 'normal';
          if (rank(level) > rank(before)) {
            const row = samples.slice(i + 1 - given.riseAfter, i + 1);
            assert.equal(row.length, given.riseAfter);
            assert.equal(Math.min(...row.map((value) => rank(levelOf(value, given, 0)))), rank(level));
          }
          if (rank(level) < rank(before)) {
            const row = samples.slice(i + 1 - given.fallAfter, i + 1);
            assert.equal(row.length, given.fallAfter);
            assert.equal(Math.max(...row.map((value) => rank(levelOf(value, given, given.margin)))), rank(level));
          }
        });
      }),
    );
  });

  test('a value that stays leads to its level, whatever came before', () => {
    fc.assert(
      fc.property(any, values, fc.constantFrom(...LEVELS), (given, samples, level) => {
        const value = { normal: 0, raised: given.raised, high: given.high, critical: 1 }[level];
        const settled = follow(
          [...samples, ...Array<number>(2 * (given.riseAfter + given.fallAfter)).fill(value)],
          given,
        ).at(-1)!;
        assert.ok(rank(settled.level) >= rank(levelOf(value, given, 0)));
        assert.ok(rank(settled.level) <= rank(levelOf(value, given, given.margin)));
      }),
    );
  });
});
