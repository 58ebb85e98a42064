import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runInNewContext } from 'node:vm';
import { createCollector } from './collect.ts';

const MB = 1024 ** 2;

test('what was let go of is out of the memory when it has run, on the heap and off it', async () => {
  const collect = createCollector();
  let held: unknown[] | null = Array.from({ length: 100 }, () => [Buffer.alloc(MB, 1), new Array(MB / 8).fill(1.5)]);
  const before = process.memoryUsage();
  assert.equal(held.length, 100);
  held = null;
  assert.equal(await collect(), true);
  const after = process.memoryUsage();
  for (const kind of ['heapUsed', 'external'] as const)
    assert.ok(
      before[kind] - after[kind] > 80 * MB,
      `${kind}: ${before[kind] / MB} MB before, ${after[kind] / MB} MB after`,
    );
});

test('it does not run again at once, so that no order can make a thread do nothing else', async () => {
  const collect = createCollector();
  assert.equal(await collect(), true);
  assert.equal(await collect(), false);
});

test("contexts made later do not get V8's collector", async () => {
  await createCollector()();
  assert.equal(runInNewContext('typeof gc'), 'undefined');
});
