import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LATENCY_BOUNDS_MS } from '@grace/contracts';
import fc from 'fast-check';
import { bucketOf, Latency } from './latency.ts';

test('a latency lies in the first bucket whose bound is not below it', () => {
  const expected = (ms: number): number => {
    const found = LATENCY_BOUNDS_MS.findIndex((bound) => ms <= bound);
    return found === -1 ? LATENCY_BOUNDS_MS.length : found;
  };
  fc.assert(
    fc.property(fc.double({ min: 0, max: 100_000, noNaN: true }), (ms) => {
      assert.equal(bucketOf(ms), expected(ms));
    }),
  );
  for (const bound of LATENCY_BOUNDS_MS) assert.equal(bucketOf(bound), expected(bound), String(bound));
  assert.equal(bucketOf(1e9), LATENCY_BOUNDS_MS.length);
});

test('what was recorded is counted, and its quantiles are at most 25 % too high', () => {
  const latency = new Latency();
  assert.deepEqual(latency.read(), { count: 0, sumMs: 0, p50Ms: null, p99Ms: null, buckets: [] });
  for (let n = 1; n <= 1000; n++) latency.record(n / 10, bucketOf(n / 10));
  const { count, sumMs, p50Ms, p99Ms, buckets } = latency.read();
  assert.equal(count, 1000);
  assert.equal(sumMs, 50_050);
  assert.equal(
    buckets.reduce((sum, one) => sum + one, 0),
    1000,
  );
  assert.ok(p50Ms! >= 50 && p50Ms! <= 62.5, String(p50Ms));
  assert.ok(p99Ms! >= 99 && p99Ms! <= 124, String(p99Ms));
});
