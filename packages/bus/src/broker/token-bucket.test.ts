import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { TokenBucket } from './token-bucket.ts';

test('never more pass than one second of burst and the rate since then', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 100 }), fc.array(fc.nat({ max: 300 })), (perSecond, waits) => {
      const bucket = new TokenBucket(perSecond, 0);
      let now = 0;
      let passed = 0;
      for (const wait of waits) {
        now += wait;
        for (let i = 0; i < 20; i++) if (bucket.take(now)) passed++;
        assert.ok(passed <= perSecond + (now / 1000) * perSecond + 1e-6);
      }
    }),
  );
});

test('who keeps to the rate is never refused', () => {
  const bucket = new TokenBucket(10, 0);
  for (let now = 0; now < 60_000; now += 100) assert.equal(bucket.take(now), true);
});
