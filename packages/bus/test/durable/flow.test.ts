import assert from 'node:assert/strict';
import { test } from 'node:test';
import { poll } from '@grace/testkit';
import { codeOf, createBed, tally, WIRES } from '../bed.ts';
import { assertBalanced, keptBeds } from './bed.ts';

test('a backlog stays on disk: the broker has a window of it in memory, and hands it on in its order', async (t) => {
  const bed = await keptBeds(t).start();
  const publisher = await bed.connect('port', 'alpha');
  const slow = await bed.connect('socket', 'beta', { creditMessages: 16 });
  const got: number[] = [];
  const release: (() => void)[] = [];
  await slow.subscribe('task.a', ({ payload }) => {
    got.push((payload as { n: number }).n);
    return new Promise((resolve) => release.push(resolve));
  });
  const count = 6000;
  const before = process.memoryUsage().heapUsed + process.memoryUsage().external;
  for (let n = 0; n < count; ) {
    const group = Array.from({ length: 500 }, () => ({ n: n++, text: 'x'.repeat(2000) }));
    await Promise.all(
      group.map((payload) => publisher.publish('task.a', payload, { priority: 'bulk', deadlineMs: 60_000 })),
    );
  }
  assert.equal(bed.durable().waiting, count);
  assert.equal(got.length, 16);
  // 12 MB wait; in memory are a window of 1024 messages and what the collector has not come to.
  const kept = (): number => process.memoryUsage().heapUsed + process.memoryUsage().external - before;
  const { setFlagsFromString } = await import('node:v8');
  setFlagsFromString('--expose-gc');
  const collect = (await import('node:vm')).runInNewContext('gc') as () => void;
  await poll('the backlog is not in memory', () => {
    collect();
    return kept() < 8e6;
  });
  const urgent: unknown[] = [];
  await slow.subscribe('task.urgent', ({ payload }) => void urgent.push(payload));
  await publisher.publish('task.urgent', 1, { priority: 'control' });
  await poll('control is not behind it', () => urgent.length === 1);
  const opening = setInterval(() => {
    for (const go of release.splice(0)) go();
  }, 1);
  t.after(() => clearInterval(opening));
  await poll('all came', () => got.length === count, { deadlineMs: 60_000 });
  assert.deepEqual(
    got,
    Array.from({ length: count }, (_, n) => n),
  );
  await poll('all is settled', () => bed.durable().waiting === 0);
  assertBalanced(bed);
});

test('control overtakes what waits on disk for the same consumer', async (t) => {
  const bed = await keptBeds(t).start();
  const publisher = await bed.connect('port', 'alpha');
  const slow = await bed.connect('socket', 'beta', { creditMessages: 8 });
  const got: string[] = [];
  const release: (() => void)[] = [];
  await slow.subscribe('task.a', ({ payload, priority }) => {
    got.push(`${priority} ${payload}`);
    return new Promise((resolve) => release.push(resolve));
  });
  await Promise.all(
    Array.from({ length: 3000 }, (_, n) => publisher.publish('task.a', n, { priority: 'bulk', deadlineMs: 60_000 })),
  );
  await publisher.publish('task.a', 'stop', { priority: 'control' });
  await poll('it came', () => got.includes('control stop'));
  assert.equal(got.length, 9);
});

test('a publish that is not on disk by its deadline is refused, and its id is taken once when it is sent again', async (t) => {
  const beds = keptBeds(t);
  // No thread ever answers: the file does not come.
  const bed = await createBed({
    durable: { dir: beds.dir, thread: new URL('../fixtures/silent-storage-thread.ts', import.meta.url) },
  });
  t.after(() => bed.close());
  for (const wire of WIRES) {
    const publisher = await bed.connect(wire, 'alpha');
    assert.equal(await codeOf(publisher.publish('task.a', 1, { deadlineMs: 60 })), 'BUS_DEADLINE');
    assert.equal(await codeOf(publisher.publish('plain.a', 1)), 'accepted');
    assert.equal(await codeOf(publisher.subscribe('task.a', () => {}, { deadlineMs: 60 })), 'BUS_DEADLINE');
  }
});

test('a publish whose deadline passed before it could be written is never written', async (t) => {
  const beds = keptBeds(t);
  const thread = new URL('../fixtures/slow-storage-thread.ts', import.meta.url);
  const bed = await createBed({ durable: { dir: beds.dir, thread } });
  t.after(() => bed.close());
  const publisher = await bed.connect('port', 'alpha');
  assert.equal(await codeOf(publisher.publish('task.a', 1, { deadlineMs: 1 })), 'BUS_DEADLINE');
  await publisher.publish('task.a', 2, { deadlineMs: 60_000 });
  assert.equal(bed.broker.statistics().durable!.waiting, 1);
});

test('what nobody needs any more is not delivered and counted expired, whether it waits on disk, in memory or for anybody', async (t) => {
  const bed = await keptBeds(t).start();
  const publisher = await bed.connect('port', 'alpha');
  const got: string[] = [];
  const away = await bed.connect('socket', 'away');
  await away.subscribe('task.a', ({ payload }) => void got.push(payload as string));
  await away.close();
  await poll('it is gone', () => bed.broker.consumers()[0]!.members === 0);
  await publisher.publish('task.a', 'short', { lifetimeMs: 1 });
  await publisher.publish('task.a', 'long', { lifetimeMs: 600_000 });
  await publisher.publish('task.unclaimed', 'short', { lifetimeMs: 1 });
  await poll('what is on disk is over', () => bed.broker.statistics().families['task']!.expired === 2);
  assertBalanced(bed);
  const back = await bed.connect('port', 'away');
  await back.subscribe('task.a', ({ payload }) => void got.push(payload as string));
  await poll('the other came', () => got.length === 1);
  assert.deepEqual(got, ['long']);
  const narrow = await bed.connect('port', 'narrow', { creditMessages: 1 });
  const release: (() => void)[] = [];
  await narrow.subscribe('*.b', ({ payload }) => {
    got.push(payload as string);
    return new Promise((resolve) => release.push(resolve));
  });
  for (const family of ['task', 'plain']) {
    await publisher.publish(`${family}.b`, 'first');
    await publisher.publish(`${family}.b`, 'late', { lifetimeMs: 1 });
    await publisher.publish(`${family}.b`, 'last');
    await poll('the first came', () => got.at(-1) === 'first');
    await new Promise((resolve) => setTimeout(resolve, 5));
    for (const go of release.splice(0)) go();
    await poll('the last came', () => got.at(-1) === 'last');
    for (const go of release.splice(0)) go();
    await poll(
      'the late one is counted',
      () => bed.broker.statistics().families[family]!.expired === (family === 'task' ? 3 : 1),
    );
  }
  assert.deepEqual(tally(got), { long: 1, first: 2, last: 2 });
});

test('what nobody claims, and who does not come back, goes when its time is over', async (t) => {
  const bed = await keptBeds(t).start({ retentionMs: 50 });
  const publisher = await bed.connect('port', 'alpha');
  await publisher.publish('task.unclaimed', 1);
  const away = await bed.connect('socket', 'away');
  await away.subscribe('task.a', () => new Promise(() => {}));
  await publisher.publish('task.a', 1);
  await away.close();
  await poll('both are over', () => bed.broker.statistics().families['task']!.expired === 2);
  assert.deepEqual(bed.broker.consumers(), []);
  assert.equal(bed.durable().waiting, 0);
  assertBalanced(bed);
});
