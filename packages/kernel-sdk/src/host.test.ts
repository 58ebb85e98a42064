import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createBusClient } from '@grace/bus/client';
import { GraceError } from '@grace/contracts';
import { graceError, type Logged, openBed, poll, recordLog } from '../test/bed.ts';
import { defineKernel, type KernelContext, type KernelInstance } from './kernel.ts';

const META = { from: 'test', deadlineMs: 5000 };
const of = (instance: Partial<KernelInstance>, onStart: (ctx: KernelContext) => void = () => {}) =>
  defineKernel({
    id: 'mine',
    start(ctx) {
      onStart(ctx);
      return { verbs: {}, probe: () => ({}), ...instance };
    },
  });

test('an unknown verb is refused with the nearest and with all that are known', async (t) => {
  const kernel = await openBed(t).host(of({ verbs: { search: () => 1 } }));
  await assert.rejects(kernel.invoke('serach', {}, META), (error: GraceError) => {
    assert.equal(error.code, 'UNKNOWN_VERB');
    assert.equal(error.message, 'mine has no verb "serach" (did you mean "search"?); verbs: status, search');
    return true;
  });
  for (const verb of ['constructor', '__proto__', 'toString'])
    await assert.rejects(kernel.invoke(verb, {}, META), graceError('UNKNOWN_VERB', /has no verb/));
  await assert.rejects(kernel.invoke('x'.repeat(1e6), {}, META), (error: GraceError) => error.message.length < 300);
});

test('what start returns must be a kernel, and what is wrong with it is said', async (t) => {
  const bed = openBed(t);
  const probe = () => ({});
  const cases: [unknown, RegExp][] = [
    [undefined, /start returned nothing/],
    [null, /start returned null/],
    [5, /start returned a number/],
    [{ verbs: {} }, /no probe function/],
    [{ verbs: {}, probe: true }, /no probe function/],
    [{ probe }, /no verbs object/],
    [{ probe, verbs: null }, /no verbs object/],
    [{ probe, verbs: { good: probe, bad: 'text' } }, /the verb "bad" is not a function/],
    [{ probe, verbs: {}, drain: 5 }, /the drain that start returned is not a function/],
  ];
  for (const [instance, message] of cases)
    await assert.rejects(
      bed.host({ id: 'mine', start: () => instance as KernelInstance }),
      graceError('KERNEL_INVALID', message),
    );
});

test('a kernel that does not start leaves no timer and no open store', async (t) => {
  let ctx: KernelContext | undefined;
  let db: KernelContext['store']['db'] | undefined;
  const kernel = defineKernel({
    id: 'mine',
    start(given) {
      ctx = given;
      db = ctx.store.db;
      ctx.every(1, () => {});
      throw new GraceError('CONFLICT', 'the port is taken');
    },
  });
  await assert.rejects(openBed(t).host(kernel), graceError('CONFLICT', /the port is taken/));
  assert.equal(ctx!.signal.aborted, true);
  assert.equal(db!.isOpen, false);
});

test('every kernel has the verb status, which counts what it handled, unless it brings its own', async (t) => {
  const bed = openBed(t);
  const kernel = await bed.host(of({ verbs: { add: ({ a, b }) => a + b } }), { incarnation: 3 });
  assert.deepEqual(kernel.verbs, ['status', 'add']);
  assert.equal(await kernel.invoke('add', { a: 1, b: 2 }, META), 3);
  const { uptimeMs, ...rest } = (await kernel.invoke('status', undefined, META)) as Record<string, unknown>;
  assert.deepEqual(rest, { kernel: 'mine', incarnation: 3, handled: 2 });
  assert.ok(Number.isInteger(uptimeMs));
  const own = await bed.host({ ...of({ verbs: { status: () => 'own' } }), id: 'other' });
  assert.deepEqual([own.verbs, await own.invoke('status', undefined, META)], [['status'], 'own']);
});

test('verbs and probes count as work', async (t) => {
  let work = 0;
  const kernel = await openBed(t).host(of({ verbs: { go: () => 1 } }), { onWork: () => work++ });
  await kernel.invoke('go', {}, META);
  await kernel.probe();
  assert.equal(work, 2);
});

test('the probe of a kernel that cannot do its job fails with what the kernel threw', async (t) => {
  const kernel = await openBed(t).host(
    of({
      probe: () => {
        throw new GraceError('STORAGE_FULL', 'no space');
      },
    }),
  );
  await assert.rejects(kernel.probe(), graceError('STORAGE_FULL', /no space/));
});

test('verbs answer over the bus with values, with coded errors, and to the name of the caller', async (t) => {
  const bed = openBed(t);
  await bed.host(
    of({
      verbs: {
        whoami: (_input, { from, correlation, deadlineMs }) => ({
          from,
          correlation,
          inTime: deadlineMs > 0 && deadlineMs <= 4000 && Number.isInteger(deadlineMs),
        }),
        fail: () => {
          throw new GraceError('NOT_FOUND', 'no such note');
        },
        sockets: () => ({ close: () => {} }),
      },
    }),
  );
  const asker = bed.client('asker');
  const ask = (verb: string) => asker.request(`kernel.mine.call.${verb}`, {}, { correlation: 'c-1', deadlineMs: 4000 });
  assert.deepEqual(await ask('whoami'), { from: 'asker', correlation: 'c-1', inTime: true });
  await assert.rejects(ask('fail'), graceError('NOT_FOUND', /no such note/));
  await assert.rejects(ask('whoam'), graceError('UNKNOWN_VERB', /did you mean "whoami"/));
  await assert.rejects(ask('sockets'), graceError('BAD_INPUT', /cannot travel/));
});

test('drain aborts the signal first, lets the kernel finish with its store and bus, then closes both, once', async (t) => {
  const bed = openBed(t);
  const bus = bed.client('mine');
  const listener = bed.client('listener');
  const heard: unknown[] = [];
  await listener.subscribe('kernel.mine.event.bye', (message) => void heard.push(message.payload));
  let db: KernelContext['store']['db'] | undefined;
  let ctx: KernelContext | undefined;
  const kernel = await bed.host(
    of(
      {
        async drain() {
          ctx!.store.set('aborted', ctx!.signal.aborted);
          await ctx!.bus.publish('kernel.mine.event.bye', 'finished');
        },
      },
      (given) => {
        ctx = given;
        db = given.store.db;
      },
    ),
    { bus },
  );
  assert.equal(ctx!.signal.aborted, false);
  await Promise.all([kernel.drain(), kernel.drain()]);
  await poll('the last word is heard', () => heard.length > 0);
  assert.deepEqual(heard, ['finished']);
  assert.equal(db!.isOpen, false);
  await assert.rejects(bus.publish('kernel.mine.event.bye', 1), graceError('BUS_CLOSED', /./));
  assert.equal(ctx!.store.get('aborted'), true);
  ctx!.store.close();
});

test('a kernel that drains answers what is under way and takes nothing new', async (t) => {
  const held = Promise.withResolvers<string>();
  const kernel = await openBed(t).host(
    of({ verbs: { wait: () => held.promise }, drain: () => void held.resolve('done') }),
  );
  const underWay = kernel.invoke('wait', {}, META);
  const drained = kernel.drain();
  await assert.rejects(kernel.invoke('wait', {}, META), graceError('KERNEL_NOT_RUNNING', /^mine is draining/));
  await drained;
  assert.equal(await underWay, 'done');
});

test('bus and store are closed also when the own drain throws', async (t) => {
  const bed = openBed(t);
  const bus = bed.client('mine');
  let db: KernelContext['store']['db'] | undefined;
  const kernel = await bed.host(
    of(
      {
        drain: () => {
          throw new Error('stuck');
        },
      },
      (ctx) => {
        db = ctx.store.db;
      },
    ),
    { bus },
  );
  await assert.rejects(kernel.drain(), /stuck/);
  assert.equal(db!.isOpen, false);
  await assert.rejects(bus.publish('a', 1), graceError('BUS_CLOSED', /./));
});

test('a kernel without a broker works, says so, and its verbs come on the bus when there is one', async (t) => {
  const bed = openBed(t);
  const logged: Logged[] = [];
  const bus = createBusClient();
  const kernel = await bed.host(of({ verbs: { ping: () => 'pong' } }), { bus, log: recordLog(logged) });
  assert.ok(logged.some(({ level, message }) => level === 'warn' && message === 'verbs are not on the bus yet'));
  assert.equal(await kernel.invoke('ping', {}, META), 'pong');

  const asker = bed.client('asker');
  await assert.rejects(asker.request('kernel.mine.call.ping', {}), graceError('BUS_NO_RESPONDERS', /./));
  bus.attach(bed.port('mine'));
  await poll('the verb answers over the bus', () =>
    asker.request('kernel.mine.call.ping', {}).then(
      (answer) => answer === 'pong',
      () => false,
    ),
  );
});

test('a kernel that does not await the bus starts without one at once, and drained it tries no more', async (t) => {
  const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
  const logged: Logged[] = [];
  const bed = openBed(t);
  const before = timers();
  const kernel = await bed.host(of({}), { bus: createBusClient(), awaitsBus: false, log: recordLog(logged) });
  assert.deepEqual(logged, []);
  await poll('it tries again beside its work', () => logged.length > 0 && timers() > before);
  await kernel.drain();
  assert.equal(timers(), before);
});
