import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { open, seal } from './sealed.ts';

const DIGEST = 'd1ge57';

test('what was sealed is opened, by the digest it was sealed with alone', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 5000 }), (bytes) => {
      const data = Buffer.from(bytes);
      assert.deepEqual(open(seal(data, DIGEST), DIGEST), data);
      assert.equal(open(seal(data, DIGEST), 'd1ge58'), undefined);
    }),
  );
});

test('cut at any place, or with one bit changed anywhere, it is not opened', () => {
  const sealed = seal(randomBytes(20_003), DIGEST);
  fc.assert(
    fc.property(fc.nat(sealed.length - 1), fc.nat(7), (at, bit) => {
      assert.equal(open(sealed.subarray(0, at), DIGEST), undefined);
      const changed = Buffer.from(sealed);
      changed[at]! ^= 1 << bit;
      assert.equal(open(changed, DIGEST), undefined);
    }),
    { numRuns: 2000 },
  );
  assert.equal(open(Buffer.alloc(20_003), DIGEST), undefined);
});
