import assert from 'node:assert/strict';
import { test } from 'node:test';
import { poll } from '../../test/bed.ts';
import { createBucket } from './bucket.ts';

test('a burst passes, the rest is refused and told once, and then it fills again', async () => {
  const told: number[] = [];
  const take = createBucket(10, 50, (refused) => void told.push(refused));
  const startMs = performance.now();
  const passed = Array.from({ length: 1000 }, () => take()).filter(Boolean).length;
  const refilled = ((performance.now() - startMs) / 1000) * 10;
  assert.ok(passed >= 50 && passed <= 51 + refilled, `${passed} passed`);
  await poll('what was refused is told', () => told.length > 0);
  assert.deepEqual(told, [1000 - passed]);
  assert.ok(await poll('it fills again', () => take()));
});

test('what costs more takes more of it, and what costs more than the burst never passes', () => {
  const take = createBucket(0, 100, () => {});
  assert.deepEqual([take(60), take(60), take(40), take(1), take(0)], [true, false, true, false, true]);
  assert.equal(createBucket(1, 100, () => {})(101), false);
});
