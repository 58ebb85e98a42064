import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRestarts } from './restarts.ts';

test('the first restart waits for nothing, each further one longer, and the eleventh within a minute never comes', () => {
  const restarts = createRestarts();
  const delays = Array.from({ length: 11 }, (_, i) => restarts.next(i));
  assert.deepEqual(delays, [0, 20, 40, 80, 160, 320, 640, 1280, 2560, 5000, null]);
  assert.equal(restarts.count, 10);
});

test('a supervisor that has lived for a minute begins anew', () => {
  const restarts = createRestarts();
  for (let i = 0; i < 10; i++) restarts.next(i);
  assert.equal(restarts.next(60_000 + 20), 0);
});
