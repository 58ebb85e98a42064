import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MemoryPressure } from '@grace/contracts';
import { type Logged, poll, recordLog, within } from '../test/bed.ts';
import { createListeners } from './listeners.ts';

const PRESSURE: MemoryPressure = { of: 'heap', bytes: 85, limitBytes: 100, ratio: 0.85 };

test('every handler of memory pressure is told, and has come back when it is over', async () => {
  const listeners = createListeners(recordLog([]));
  const told: unknown[] = [];
  listeners.onPressure((pressure) => void told.push(['first', pressure]));
  listeners.onPressure(async (pressure) => {
    await new Promise(setImmediate);
    told.push(['second', pressure]);
  });
  await listeners.pressed(PRESSURE);
  assert.deepEqual(told, [
    ['first', PRESSURE],
    ['second', PRESSURE],
  ]);
});

test('without a handler nothing happens', async () => {
  const logged: Logged[] = [];
  const listeners = createListeners(recordLog(logged));
  await listeners.pressed(PRESSURE);
  listeners.needChanged('other', false);
  assert.deepEqual(logged, []);
});

test('a handler that fails is logged, and keeps nobody else from shedding', async () => {
  const logged: Logged[] = [];
  const listeners = createListeners(recordLog(logged));
  let shed = 0;
  listeners.onPressure(() => {
    throw new Error('no cache');
  });
  listeners.onPressure(async () => Promise.reject('no reason'));
  listeners.onPressure(() => void shed++);
  await listeners.pressed(PRESSURE);
  assert.equal(shed, 1);
  assert.deepEqual(
    logged.map(({ level, fields }) => [level, fields]),
    [
      ['error', { error: 'no cache' }],
      ['error', { error: 'no reason' }],
    ],
  );
});

test('a handler that hangs is not waited for, not called again, said, and blocks nobody', async () => {
  const logged: Logged[] = [];
  const listeners = createListeners(recordLog(logged), 20);
  let hung = 0;
  let shed = 0;
  let release = (): void => {};
  listeners.onPressure(
    () =>
      new Promise<void>((resolve) => {
        hung++;
        release = resolve;
      }),
  );
  listeners.onPressure(() => void shed++);
  await within('it is over', listeners.pressed(PRESSURE));
  assert.deepEqual([hung, shed, logged], [1, 1, []]);
  await within('it is over again', listeners.pressed(PRESSURE));
  assert.deepEqual([hung, shed], [1, 2]);
  assert.deepEqual(
    logged.map(({ level, message }) => [level, message]),
    [['warn', 'a handler of memory pressure has not come back since the last time']],
  );
  release();
  await poll('it is called again once it has come back', async () => {
    await listeners.pressed(PRESSURE);
    return hung === 2;
  });
  release();
});

test('handlers of needs hear which, and up or down; their errors are logged', async () => {
  const logged: Logged[] = [];
  const listeners = createListeners(recordLog(logged));
  const heard: unknown[] = [];
  listeners.onNeed(() => {
    throw new Error('not ready for this');
  });
  listeners.onNeed(async () => {
    throw new Error('nor this');
  });
  listeners.onNeed((need, up) => void heard.push([need, up]));
  listeners.needChanged('other', false);
  listeners.needChanged('other', true);
  assert.deepEqual(heard, [
    ['other', false],
    ['other', true],
  ]);
  await poll('all four are logged', () => logged.length === 4);
  assert.deepEqual(logged.map(({ level, fields }) => [level, fields!['up'], fields!['error']]).sort(), [
    ['error', false, 'nor this'],
    ['error', false, 'not ready for this'],
    ['error', true, 'nor this'],
    ['error', true, 'not ready for this'],
  ]);
});
