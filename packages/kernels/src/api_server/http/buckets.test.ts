import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { Buckets } from './buckets.ts';

describe('token buckets', () => {
  test('let no more through than was saved up and has flowed in, and a wait that is told is long enough', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.1, max: 1000, noNaN: true }),
        fc.integer({ min: 1, max: 100 }),
        fc.array(fc.integer({ min: 0, max: 500 }), { maxLength: 300 }),
        (perSecond, burst, pauses) => {
          let nowMs = 0;
          const buckets = new Buckets({ perSecond, burst }, () => nowMs);
          let passed = 0;
          for (const pause of pauses) {
            nowMs += pause;
            const waitMs = buckets.take('a');
            if (waitMs === 0) passed++;
            else {
              nowMs += waitMs;
              assert.equal(buckets.take('a'), 0);
              passed++;
            }
            assert.ok(passed <= burst + (nowMs / 1000) * perSecond + 1e-6);
          }
        },
      ),
      { numRuns: 100 },
    );
  });

  test('keep keys apart, and remember no more of them than they may', () => {
    const buckets = new Buckets({ perSecond: 0.001, burst: 1 }, () => 0, 3);
    assert.equal(buckets.take('a'), 0);
    assert.ok(buckets.take('a') > 0);
    for (const key of 'bcdefgh') assert.equal(buckets.take(key), 0);
    assert.equal(buckets.size, 3);
  });
});
