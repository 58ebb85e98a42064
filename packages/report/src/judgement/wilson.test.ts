import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { wilsonLowerBound } from './wilson.ts';

test('five of five trials prove only about 57 percent', () => {
  assert.ok(Math.abs(wilsonLowerBound(5, 5)! - 0.5655) < 1e-4);
  assert.ok(Math.abs(wilsonLowerBound(8, 10)! - 0.4902) < 1e-4);
  assert.equal(wilsonLowerBound(0, 7), 0);
  assert.equal(wilsonLowerBound(0, 0), null);
});

test('the bound is below the rate and grows with the trials', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 500 }), fc.integer({ min: 1, max: 500 }), (held, missed) => {
      const trials = held + missed;
      const bound = wilsonLowerBound(held, trials)!;
      assert.ok(bound >= 0 && bound < held / trials);
      assert.ok(wilsonLowerBound(held * 2, trials * 2)! > bound);
    }),
  );
});
