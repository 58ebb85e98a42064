import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { type Logged, openBed, poll, recordLog } from '../test/bed.ts';
import { createCourier } from './courier.ts';
import { defineKernel, type KernelContext } from './kernel.ts';

const bench = async (t: Parameters<typeof openBed>[0]) => {
  const logged: Logged[] = [];
  let ctx: KernelContext | undefined;
  const hosted = await openBed(t).host(
    defineKernel({
      id: 'sender',
      start(given) {
        ctx = given;
        return { verbs: {}, probe: () => ({}) };
      },
    }),
    { log: recordLog(logged) },
  );
  return { ctx: ctx!, hosted, said: () => logged.filter(({ level }) => level === 'warn') };
};

test('what waits is passed on again until it is taken, and trouble is said once', async (t) => {
  const { ctx, said } = await bench(t);
  const waiting = ['a', 'b'];
  const taken: string[] = [];
  let isAway = true;
  let tries = 0;
  const courier = createCourier(ctx, {
    to: 'the archive',
    everyMs: 5,
    waiting: () => waiting.length,
    async pass() {
      tries++;
      await setImmediate();
      if (isAway) throw new Error('nobody there');
      while (waiting.length > 0) taken.push(waiting.shift()!);
    },
  });
  await poll('several tries', () => tries > 3);
  assert.equal(courier.lastError(), 'nobody there');
  assert.deepEqual(
    said().map(({ message, fields }) => [message, fields]),
    [['the archive could not be reached', { error: 'nobody there' }]],
  );
  isAway = false;
  await poll('all of it', () => taken.length === 2);
  await poll('the end of the trouble', () => courier.lastError() === null);
  assert.deepEqual(taken, ['a', 'b']);
});

test('one pass at a time, and none where nothing waits', async (t) => {
  const { ctx } = await bench(t);
  let [atOnce, most, passes, waiting] = [0, 0, 0, 1];
  const gate = Promise.withResolvers<void>();
  const courier = createCourier(ctx, {
    to: 'the archive',
    everyMs: 1,
    waiting: () => waiting,
    async pass() {
      passes++;
      most = Math.max(most, ++atOnce);
      await gate.promise;
      waiting = 0;
      atOnce--;
    },
  });
  for (let i = 0; i < 3; i++) courier.wake();
  let turns = 0;
  ctx.every(1, () => void turns++);
  await poll('five periods', () => turns >= 5);
  gate.resolve();
  await poll('it to be taken', () => waiting === 0);
  const until = turns + 5;
  await poll('five more periods', () => turns >= until);
  assert.deepEqual([most, passes], [1, 1]);
});

test('one that fails before it has begun is tried again', async (t) => {
  const { ctx } = await bench(t);
  let tries = 0;
  createCourier(ctx, {
    to: 'the archive',
    everyMs: 1,
    waiting: () => 1,
    pass() {
      tries++;
      throw new Error('at once');
    },
  });
  await poll('a second try', () => tries > 1);
});

test('a kernel that ends passes on what waits, and is not held by who takes nothing', async (t) => {
  const { ctx, hosted, said } = await bench(t);
  const parts = { to: 'the archive', everyMs: 2 ** 30 };
  const held = ['a'];
  const willing = createCourier(ctx, { ...parts, waiting: () => held.length, pass: async () => void held.pop() });
  const stuck = Promise.withResolvers<void>();
  const mute = createCourier(ctx, { ...parts, waiting: () => 1, pass: () => stuck.promise });
  await hosted.drain();
  await willing.finish();
  assert.deepEqual(held, []);
  await mute.finish();
  stuck.reject(new Error('the wire is closed'));
  await setImmediate();
  assert.deepEqual(said(), []);
});
