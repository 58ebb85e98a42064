import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { MessageChannel } from 'node:worker_threads';
import { createBusClient } from '@grace/bus/client';
import { poll } from '@grace/testkit';
import { codeOf, identity, tally } from '../bed.ts';
import { assertBalanced, keptBeds } from './bed.ts';

test('the storage thread dies over and over: it is started again, and nothing accepted is lost, doubled or out of order', async (t) => {
  const bed = await keptBeds(t).start({
    thread: new URL('../fixtures/dying-storage-thread.ts', import.meta.url),
  });
  const [publisher, subscriber] = [await bed.connect('port', 'alpha'), await bed.connect('socket', 'beta')];
  const got: number[] = [];
  await subscriber.subscribe('task.a', ({ payload }) => void got.push(payload as number), { deadlineMs: 60_000 });
  const balance = setInterval(() => assertBalanced(bed), 5);
  t.after(() => clearInterval(balance));
  let next = 0;
  while (bed.durable().storageRestarts < 6) {
    const group = Array.from({ length: 50 }, () => next++);
    await Promise.all(group.map((n) => publisher.publish('task.a', n, { deadlineMs: 60_000 })));
  }
  await poll('all came', () => got.length >= next, { deadlineMs: 60_000 });
  await poll('all is settled', () => bed.durable().waiting === 0, { deadlineMs: 60_000 });
  clearInterval(balance);
  assert.deepEqual(
    got,
    Array.from({ length: next }, (_, n) => n),
  );
  const { accepted, handled } = bed.broker.statistics().families['task']!;
  assert.deepEqual([accepted, handled], [next, next]);
  assert.ok(bed.events.some((event) => event.type === 'storage' && event.state === 'lost'));
  assert.ok(bed.events.some((event) => event.type === 'storage' && event.state === 'open'));
});

test('what is acknowledged while there is no storage thread is settled when there is one again, with nothing else to remind of it', async (t) => {
  const beds = keptBeds(t);
  const bed = await beds.start({ thread: new URL('../fixtures/mortal-storage-thread.ts', import.meta.url) });
  const subscriber = await bed.connect('port', 'beta');
  const { promise: handled, resolve: handle } = Promise.withResolvers<void>();
  let came = 0;
  await subscriber.subscribe('task.a', () => {
    came++;
    return handled;
  });
  await subscriber.publish('task.a', 1);
  await poll('it came', () => came === 1);
  writeFileSync(join(beds.dir, 'wait'), '');
  writeFileSync(join(beds.dir, 'die'), '');
  await poll('the thread is gone', () =>
    bed.events.some((event) => event.type === 'storage' && event.state === 'lost'),
  );
  handle();
  // Behind the acknowledgement on the same wire, so the broker has that too when it answers.
  await subscriber.publish('plain.a', 1);
  rmSync(join(beds.dir, 'wait'));
  await poll('it is settled', () => bed.durable().waiting === 0);
});

test('a file that is no database is left alone: durable publishes are refused with words, the rest of the bus works', async (t) => {
  const beds = keptBeds(t);
  writeFileSync(
    join(beds.dir, 'bus.sqlite'),
    'this is a letter to my grandmother, and no database at all\n'.repeat(100),
  );
  const { createBed } = await import('../bed.ts');
  const bed = await createBed({ durable: { dir: beds.dir } });
  t.after(() => bed.close());
  const [a, b] = [await bed.connect('port', 'alpha'), await bed.connect('socket', 'beta')];
  await poll('it is known', () => bed.events.some((event) => event.type === 'storage'));
  await assert.rejects(a.publish('task.a', 1), { code: 'BUS_OVERLOADED', message: /not a database/ });
  const got: unknown[] = [];
  await b.subscribe('plain.a', ({ payload }) => void got.push(payload));
  await a.publish('plain.a', 1);
  await poll('it came', () => got.length === 1);
});

test('what is acknowledged counts when the disk knows, and is not handled again by who handled it', async (t) => {
  const beds = keptBeds(t);
  const first = await beds.start({ thread: new URL('../fixtures/deaf-storage-thread.ts', import.meta.url) });
  const publisher = await first.connect('port', 'alpha');
  const subscriber = createBusClient();
  t.after(() => subscriber.close());
  const wire = (to: typeof first): void => {
    const { port1, port2 } = new MessageChannel();
    to.broker.attach(port1, identity('beta'));
    subscriber.attach(port2);
  };
  wire(first);
  const got: unknown[] = [];
  const told: string[] = [];
  await subscriber.subscribe('task.a', (message) => {
    got.push(message.payload);
    message.confirmed().then(
      () => told.push('confirmed'),
      (error) => told.push(error.code),
    );
  });
  await publisher.publish('task.a', 'once');
  await poll('the thread heard of it, and died', () => first.durable().storageRestarts > 0);
  const { handled, waiting } = first.broker.statistics().families['task']!;
  assert.deepEqual([got, handled, waiting], [['once'], 0, 1]);
  await first.close();
  await poll('it was not confirmed', () => told.length === 1);
  const second = await beds.start();
  wire(second);
  await poll('it is settled', () => second.broker.statistics().families['task']!.handled === 1);
  assert.deepEqual([got, told], [['once'], ['BUS_CLOSED']]);
});

test('a full file refuses, loses nothing it had accepted, and takes messages again when there is room', async (t) => {
  const bed = await keptBeds(t).start({ maxFileBytes: 1024 ** 2 });
  const publisher = await bed.connect('port', 'alpha');
  const accepted: number[] = [];
  const codes: string[] = [];
  for (let n = 0; codes.length === 0 && n < 1000; n++) {
    const code = await codeOf(publisher.publish('task.a', { n, text: 'x'.repeat(10_000) }));
    if (code === 'accepted') accepted.push(n);
    else codes.push(code);
  }
  assert.deepEqual(codes, ['BUS_OVERLOADED']);
  assert.ok(accepted.length > 50 && accepted.length * 10_000 <= 1024 ** 2, `${accepted.length} were accepted`);
  await assert.rejects(publisher.publish('task.a', 'x'.repeat(10_000)), { message: /STORAGE_FULL/ });
  assertBalanced(bed);
  const got: number[] = [];
  const subscriber = await bed.connect('socket', 'beta');
  await subscriber.subscribe('task.a', ({ payload }) => void got.push((payload as { n: number }).n));
  await poll('all it had came', () => got.length === accepted.length);
  assert.deepEqual(got, accepted);
  await poll('all is settled', () => bed.durable().waiting === 0);
  await publisher.publish('task.a', { n: -1 });
  await poll('the next came', () => got.at(-1) === -1);
  assertBalanced(bed);
});

test('what may wait for one consumer is bounded, in messages and in bytes, and others go on', async (t) => {
  const bed = await keptBeds(t).start({ maxMessages: 100, maxBytes: 50_000 });
  const [publisher, subscriber] = [await bed.connect('port', 'alpha'), await bed.connect('socket', 'beta')];
  const release: (() => void)[] = [];
  await subscriber.subscribe('task.many', () => new Promise((resolve) => release.push(resolve)));
  await subscriber.subscribe('task.large', () => new Promise((resolve) => release.push(resolve)));
  const many = await Promise.all(Array.from({ length: 300 }, (_, n) => codeOf(publisher.publish('task.many', n))));
  assert.deepEqual(tally(many), { accepted: 100, BUS_OVERLOADED: 200 });
  const large = await Promise.all(
    Array.from({ length: 9 }, () => codeOf(publisher.publish('task.large', 'x'.repeat(9000)))),
  );
  assert.deepEqual(tally(large), { accepted: 5, BUS_OVERLOADED: 4 });
  const none = await Promise.all(Array.from({ length: 101 }, (_, n) => codeOf(publisher.publish('task.none', n))));
  assert.equal(tally(none)['accepted'], 100);
  assert.equal(bed.durable().refused, 205);
  await poll('they have them', () => release.length === 105);
  for (const go of release) go();
  await poll('they are settled', () => bed.durable().waiting === 100);
  assert.equal(await codeOf(publisher.publish('task.many', 1)), 'accepted');
  assertBalanced(bed);
});
