import assert from 'node:assert/strict';
import { test } from 'node:test';
import { poll } from '@grace/testkit';
import { SlowConsumer } from './slow-consumer.ts';

test('a slow consumer takes messages one after the other, as fast as it may and no faster', async (t) => {
  const consumer = new SlowConsumer(100);
  t.after(() => consumer.end());
  const began = performance.now();
  const order: number[] = [];
  await Promise.all(Array.from({ length: 30 }, (_, i) => consumer.handle().then(() => order.push(i))));
  // What it may save up while it is idle is a tenth of a second.
  assert.ok(performance.now() - began > 150, `${performance.now() - began} ms`);
  assert.deepEqual(
    order,
    order.toSorted((a, b) => a - b),
  );
});

test('it goes on at another pace, and handles nothing any more when it has ended', async () => {
  const consumer = new SlowConsumer(0.001);
  let handled = 0;
  for (let i = 0; i < 500; i++) void consumer.handle().then(() => handled++);
  consumer.goOnAt(1e6);
  await poll('all are handled', () => handled === 500);
  consumer.end();
  void consumer.handle().then(() => handled++);
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(handled, 500);
});
