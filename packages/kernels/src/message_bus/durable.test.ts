import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BusStatistics, DeadLetterPage, DurableConsumerStatus } from '@grace/contracts';
import { poll, rigKernels } from '@grace/testkit';
import messageBus from './kernel.ts';

const config = { message_bus: { durable: { backoffMs: [1], maxAttempts: 2 } } };

async function rig(t: { after(work: () => Promise<void>): void }, options = { config }) {
  const made = await rigKernels([messageBus], options);
  t.after(() => made.close());
  const call = <T>(verb: string, input?: unknown): Promise<T> => made.call('message_bus', verb, input) as Promise<T>;
  return { ...made, call };
}

test('what is published on a durable subject survives a restart of the kernel, and what dies is listed, replayed and purged', async (t) => {
  const bus = await rig(t);
  const grim = bus.bus('worker');
  await grim.subscribe('task.>', () => Promise.reject(new Error('not today')));
  const publisher = bus.bus('boss');
  for (const subject of ['task.a', 'task.b', 'task.c']) await publisher.publish(subject, { subject });
  await poll('all are dead', async () => (await bus.call<DeadLetterPage>('deadLetters')).total === 3);
  assert.ok(bus.reports.some(({ event }) => event.name === 'bus:dead-letter'));
  const [first] = (await bus.call<DeadLetterPage>('deadLetters', { subject: 'task.a', payload: true })).letters;
  assert.deepEqual(
    [first!.consumer, first!.error, first!.payload],
    ['worker/task.>', 'not today', { subject: 'task.a' }],
  );
  await grim.close();
  await bus.restart('message_bus');

  const got: string[] = [];
  await bus.bus('worker').subscribe('task.>', ({ subject }) => void got.push(subject));
  assert.deepEqual(await bus.call('replay', { subject: 'task.b' }), { replayed: 1 });
  assert.deepEqual(await bus.call('purge', { id: first!.id }), { purged: 1 });
  assert.deepEqual(await bus.call('replay', { all: true }), { replayed: 1 });
  await poll('both came', () => got.length === 2);
  assert.deepEqual(got, ['task.b', 'task.c']);
  await poll('all is settled', async () => (await bus.call<BusStatistics>('stats')).durable!.waiting === 0);
});

test('consumers are listed, and forgotten when nobody of them is there', async (t) => {
  const bus = await rig(t);
  const worker = bus.bus('worker');
  await worker.subscribe('task.a', () => new Promise(() => {}), { queue: 'pool', durable: { name: 'jobs' } });
  await bus.bus('boss').publish('task.a', 1);
  const [consumer] = await bus.call<DurableConsumerStatus[]>('consumers');
  assert.deepEqual(
    [consumer!.name, consumer!.pattern, consumer!.queue, consumer!.members],
    ['pool@jobs', 'task.a', 'pool', 1],
  );
  await assert.rejects(bus.call('forget', { consumer: 'pool@jobs' }), { code: 'CONFLICT' });
  await worker.close();
  await poll('it is gone', async () => (await bus.call<DurableConsumerStatus[]>('consumers'))[0]!.members === 0);
  assert.deepEqual(await bus.call('forget', { consumer: 'pool@jobs' }), {
    consumer: 'pool@jobs',
    removed: true,
    rejected: 1,
  });
  await assert.rejects(bus.call('forget', { consumer: 'pool@jobs' }), { code: 'NOT_FOUND' });
});

test('input that is not as it must be is refused with words', async (t) => {
  const bus = await rig(t);
  const cases: [string, unknown][] = [
    ['replay', {}],
    ['replay', { all: true, id: 1 }],
    ['replay', { all: false }],
    ['purge', { id: 0 }],
    ['purge', { id: 1.5 }],
    ['purge', { subjct: 'a' }],
    ['deadLetters', { limit: 0 }],
    ['deadLetters', { limit: 1e9 }],
    ['deadLetters', { after: -1 }],
    ['forget', {}],
    ['consumers', { x: 1 }],
  ];
  for (const [verb, input] of cases) {
    await assert.rejects(bus.call(verb, input), { code: 'BAD_INPUT' }, `${verb} ${JSON.stringify(input)}`);
  }
  await assert.rejects(bus.call('replay', { subject: 'a..b' }), { code: 'BUS_BAD_SUBJECT' });
  await assert.rejects(bus.call('purge', { id: 7 }), { code: 'NOT_FOUND' });
});

test('its configuration says what is kept, false that nothing is, and a mistake is named', async (t) => {
  const none = await rig(t, { config: { message_bus: { durable: false } } } as never);
  assert.equal((await none.call<BusStatistics>('stats')).durable, null);
  await none.bus('boss').publish('task.a', 1);
  await assert.rejects(none.call('deadLetters'), { code: 'NOT_FOUND' });
  const other = await rig(t, { config: { message_bus: { durable: { subjects: ['job.>'] } } } } as never);
  await other.bus('boss').publish('job.a', 1);
  await other.bus('boss').publish('task.a', 1);
  assert.equal((await other.call<BusStatistics>('stats')).durable!.waiting, 1);
  for (const durable of [{ subject: ['a'] }, { maxAttempts: 0 }, { backoffMs: ['1s'] }, { subjects: ['a..b'] }, 7]) {
    await assert.rejects(rigKernels([messageBus], { config: { message_bus: { durable } } } as never), {
      code: 'CONFIG_INVALID',
      message: /kernels\.message_bus\.config/,
    });
  }
});
