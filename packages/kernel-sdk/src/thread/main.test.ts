import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { MessageChannel, Worker } from 'node:worker_threads';
import {
  createSlot,
  type FromThread,
  GraceError,
  type MemoryPressure,
  SLOT,
  type ThreadBirth,
  type ToThread,
  type VerbAnswer,
} from '@grace/contracts';
import { type Bed, openBed, poll, verbsOf, within } from '../../test/bed.ts';

const MAIN = new URL('./main.ts', import.meta.url);
const META = { from: 'test', deadlineMs: 5000 };

/** A kernel of everything: store, bus, log, timers, supervisor. */
const WHOLE = `
export default {
  id: 'mine',
  start(ctx) {
    ctx.log.info('started', { config: ctx.config });
    return {
      verbs: {
        add: ({ a, b }) => a + b,
        count: () => { const n = (ctx.store.get('n') ?? 0) + 1; ctx.store.set('n', n); return { n, incarnation: ctx.incarnation }; },
        restart: (input) => ctx.supervisor.command('restart', input),
        refuse: () => { throw Object.assign(new Error('no such note'), { code: 'NOT_FOUND' }); },
        late: () => new Promise((resolve) => ctx.signal.addEventListener('abort', () => resolve('aborted'))),
      },
      probe: () => ({ stored: ctx.store.get('n') ?? 0 }),
      drain: () => { ctx.store.set('drained', ctx.incarnation); ctx.log.warn('goodbye'); },
    };
  },
};`;

/** A kernel thread from its source, driven as a cell drives it. */
function openThread(t: TestContext, bed: Bed, module: string, given: Partial<ThreadBirth> = {}) {
  const path = join(bed.home, 'mine.mjs');
  writeFileSync(path, module);
  const stateDir = join(bed.home, 'state');
  mkdirSync(stateDir, { recursive: true });
  const slot = createSlot();
  const { port1, port2 } = new MessageChannel();
  const birth: ThreadBirth = {
    kernel: 'mine',
    title: 'mine',
    incarnation: 1,
    module: path,
    builtin: true,
    heartbeatMs: 10,
    config: { colour: 'red' },
    slot: slot.buffer,
    stateDir,
    verbs: port2,
    bus: null,
    awaitsBus: false,
    logLevel: 'info',
    armed: false,
    messagesPerSecond: 1000,
    broker: null,
    ...given,
  };
  const worker = new Worker(MAIN, {
    stdout: true,
    workerData: birth,
    transferList: birth.bus?.kind === 'port' ? [port2, birth.bus.port] : [port2],
  });
  const said: FromThread[] = [];
  let failure: unknown;
  worker.on('message', (message: FromThread) => said.push(message));
  worker.on('error', (error) => {
    failure = error;
  });
  t.after(async () => {
    await worker.terminate();
    port1.close();
  });
  const remote = verbsOf(port1);
  return {
    worker,
    slot,
    said,
    send: (message: ToThread) => worker.postMessage(message),
    probe: (): Promise<VerbAnswer> => within<VerbAnswer>('the probe answers', remote.probe()),
    invoke: (verb: string, input: unknown = {}): Promise<VerbAnswer> =>
      within<VerbAnswer>(`the verb ${verb} answers`, remote.invoke(verb, input, META)),
    /** The first message of this kind. */
    hears: <T extends FromThread['t']>(kind: T): Promise<Extract<FromThread, { t: T }>> =>
      poll(`the thread says ${kind}`, () => {
        if (failure) throw failure;
        return said.find((message) => message.t === kind) as Extract<FromThread, { t: T }>;
      }),
  };
}

test('a thread loads, starts when it is told, answers verbs and probes, drains, and its successor finds the store', async (t) => {
  const bed = openBed(t);
  const first = openThread(t, bed, WHOLE);
  const { tid } = await first.hears('loaded');
  assert.ok(tid > 0 && tid !== process.pid);
  assert.equal(first.slot[SLOT.tid], BigInt(tid));
  const beats = first.slot[SLOT.beats]!;
  await poll('its heart beats before it is started', () => first.slot[SLOT.beats]! > beats);
  assert.deepEqual(
    first.said.map(({ t }) => t),
    ['loaded'],
  );

  first.send({ t: 'start' });
  assert.deepEqual((await first.hears('started')).verbs, ['status', 'add', 'count', 'restart', 'refuse', 'late']);
  const log = await first.hears('log');
  assert.deepEqual([log.level, log.message, log.fields], [30, 'started', { config: { colour: 'red' } }]);
  assert.deepEqual(await first.invoke('add', { a: 1, b: 2 }), { ok: true, value: 3 });
  assert.deepEqual(await first.invoke('count'), { ok: true, value: { n: 1, incarnation: 1 } });
  assert.deepEqual(await first.probe(), { ok: true, value: { stored: 1 } });
  assert.equal(first.slot[SLOT.work], 3n);
  const refused = await first.invoke('refuse');
  assert.ok(!refused.ok && refused.error.code === 'NOT_FOUND');

  const late = first.invoke('late');
  // Verbs and the order to drain come by different ports, in no common order.
  await poll('the verb has begun', () => first.slot[SLOT.work] === 5n);
  first.send({ t: 'drain', deadlineMs: 2000 });
  await first.hears('drained');
  assert.deepEqual(await late, { ok: true, value: 'aborted' });
  assert.deepEqual(
    first.said.slice(-2).map((m) => (m.t === 'log' ? m.message : m.t)),
    ['goodbye', 'drained'],
  );
  const refusedLate = await first.invoke('count');
  assert.ok(!refusedLate.ok && refusedLate.error.code === 'KERNEL_NOT_RUNNING');
  await first.worker.terminate();

  const second = openThread(t, bed, WHOLE, { incarnation: 2 });
  second.send({ t: 'start' });
  await second.hears('started');
  assert.deepEqual(await second.invoke('count'), { ok: true, value: { n: 2, incarnation: 2 } });
});

test('the verbs of a thread wired by a port are on the bus when it has started', async (t) => {
  const bed = openBed(t);
  const thread = openThread(t, bed, WHOLE, { bus: { kind: 'port', port: bed.port('mine') }, awaitsBus: true });
  thread.send({ t: 'start' });
  await thread.hears('started');
  const asker = bed.client('asker');
  assert.equal(await asker.request('kernel.mine.call.add', { a: 2, b: 3 }), 5);
  await assert.rejects(
    asker.request('kernel.mine.call.ad', {}),
    (error) => error instanceof GraceError && error.code === 'UNKNOWN_VERB',
  );
});

test('a command of the kernel goes to the supervisor, and its answer or refusal comes back', async (t) => {
  const thread = openThread(t, openBed(t), WHOLE);
  thread.send({ t: 'start' });
  await thread.hears('started');
  const asked = thread.invoke('restart', { kernel: 'other' });
  const { id, command, input } = await thread.hears('command');
  assert.deepEqual([command, input], ['restart', { kernel: 'other' }]);
  thread.send({ t: 'command-result', id, value: { incarnation: 2 } });
  assert.deepEqual(await asked, { ok: true, value: { incarnation: 2 } });

  const again = thread.invoke('restart', { kernel: 'mine' });
  const second = await poll('the second command', () => thread.said.filter((m) => m.t === 'command')[1]);
  thread.send({ t: 'command-error', id: second.id, error: { code: 'FORBIDDEN', message: 'not granted' } });
  const refused = await again;
  assert.ok(!refused.ok && refused.error.code === 'FORBIDDEN');
});

test('a module that throws while it is imported fails at the stage load, with its own words and stack', async (t) => {
  const thread = openThread(t, openBed(t), "throw new Error('no licence')");
  const { stage, error } = await thread.hears('failed');
  assert.deepEqual([stage, error.code, error.message], ['load', 'KERNEL_START', 'no licence']);
  assert.match(error.stack!, /mine\.mjs:1/);
  assert.deepEqual(
    thread.said.map(({ t }) => t),
    ['failed'],
  );
});

test('a module that is missing or no kernel fails at the stage load with its code', async (t) => {
  const missing = openThread(t, openBed(t), WHOLE, { module: '/nowhere/mine.mjs' });
  const first = await missing.hears('failed');
  assert.deepEqual([first.stage, first.error.code], ['load', 'KERNEL_MISSING']);
  const invalid = openThread(t, openBed(t), 'export default { id: "mine" }');
  const second = await invalid.hears('failed');
  assert.deepEqual([second.stage, second.error.code], ['load', 'KERNEL_INVALID']);
});

test('a start that throws fails at the stage start, and a drain after it still answers', async (t) => {
  const module = "export default { id: 'mine', start() { throw new Error('config.port: expected a port') } }";
  const thread = openThread(t, openBed(t), module);
  thread.send({ t: 'start' });
  const { stage, error } = await thread.hears('failed');
  assert.deepEqual([stage, error.code, error.message], ['start', 'KERNEL_START', 'config.port: expected a port']);
  thread.send({ t: 'drain', deadlineMs: 1000 });
  await thread.hears('drained');
});

test('a drain that throws is logged, and the thread says that it is drained', async (t) => {
  const module =
    "export default { id: 'mine', start: () => ({ verbs: {}, probe: () => ({}), drain() { throw new Error('stuck') } }) }";
  const thread = openThread(t, openBed(t), module);
  thread.send({ t: 'start' });
  await thread.hears('started');
  thread.send({ t: 'drain', deadlineMs: 1000 });
  await thread.hears('drained');
  const { level, message, fields } = await thread.hears('log');
  assert.deepEqual([level, message, fields], [50, 'drain failed', { error: 'stuck' }]);
});

test('only a thread that was born armed has faults', async (t) => {
  for (const armed of [false, true]) {
    const thread = openThread(t, openBed(t), WHOLE, { armed });
    await thread.hears('loaded');
    Atomics.store(thread.slot, SLOT.faultUntilNs, process.hrtime.bigint() + 600_000_000_000n);
    thread.send({ t: 'fault', kind: 'heartbeat_pause', lease: 'l1', params: {} });
    thread.send({ t: 'start' });
    await thread.hears('started');
    // The message of the fault came before that of the start, and a probe takes more than one turn.
    await thread.probe();
    assert.equal(thread.slot[SLOT.faultBitNs]! > 0n, armed);
  }
});

test('a module of the user is told where the kit is; one of the product is not', async (t) => {
  const module =
    "import { defineKernel } from '@grace/kernel-sdk'; export default defineKernel({ id: 'mine', start() {} })";
  const told = await openThread(t, openBed(t), module, { builtin: false }).hears('failed');
  // In the built product `kernel-sdk.js` lies beside the thread's entry; beside the source it does not.
  assert.match(told.error.message, /kernel-sdk\/src\/thread\/kernel-sdk\.js'/);
  const untold = await openThread(t, openBed(t), module, { builtin: true }).hears('failed');
  assert.match(untold.error.message, /Cannot find package '@grace\/kernel-sdk'/);
});

/** A kernel that holds 100 MB and lets go of them when it is told to; `stubborn` hangs instead. */
const HOLDER = `
let held;
const heard = [];
export default {
  id: 'mine',
  start(ctx) {
    ctx.onPressure((pressure) => {
      heard.push(pressure);
      held = undefined;
      if (ctx.config.hangs) return new Promise(() => {});
      throw new Error('half done');
    });
    ctx.onNeed((need, up) => {
      heard.push({ need, up });
    });
    return {
      verbs: {
        hold: () => { held = Array.from({ length: 100 }, () => Buffer.alloc(1024 ** 2, 1)); },
        heard: () => heard,
      },
      probe: () => ({}),
    };
  },
};`;

const PRESSURE: MemoryPressure = { of: 'external', bytes: 9, limitBytes: 10, ratio: 0.9 };

test('a kernel whose memory is short hears of it, and what it lets go of is out of its memory', async (t) => {
  for (const hangs of [false, true]) {
    const thread = openThread(t, openBed(t), HOLDER, { config: { hangs } });
    thread.send({ t: 'start' });
    await thread.hears('started');
    await thread.invoke('hold');
    const externalBytes = async (): Promise<number> => (await thread.worker.getHeapStatistics()).external_memory;
    assert.ok((await externalBytes()) > 100 * 1024 ** 2);
    thread.send({ t: 'pressure', pressure: PRESSURE });
    await poll('it is collected, whatever the handler does', async () => (await externalBytes()) < 20 * 1024 ** 2);
    assert.deepEqual(await thread.invoke('heard'), { ok: true, value: [PRESSURE] });
    if (hangs) continue;
    const { level, message, fields } = await thread.hears('log');
    assert.deepEqual([level, message, fields], [50, 'the handler of memory pressure failed', { error: 'half done' }]);
  }
});

test('a kernel hears when what it needs goes and comes back', async (t) => {
  const thread = openThread(t, openBed(t), HOLDER);
  thread.send({ t: 'start' });
  await thread.hears('started');
  thread.send({ t: 'need', need: 'other', up: false });
  thread.send({ t: 'need', need: 'other', up: true });
  const heard = [
    { need: 'other', up: false },
    { need: 'other', up: true },
  ];
  await poll('both are heard', async () => {
    const answer = await thread.invoke('heard');
    return answer.ok && JSON.stringify(answer.value) === JSON.stringify(heard);
  });
});

const PUBLISHER = `
export default {
  id: 'mine',
  start(ctx) {
    const publish = (count) => Promise.allSettled(Array.from({ length: count }, () => ctx.bus.publish('kernel.mine.event.x', {})));
    return {
      verbs: {
        publish: async ({ count }) => (await publish(count)).filter(({ status }) => status === 'rejected').length,
      },
      probe: () => ({}),
    };
  },
};`;

test('what it publishes, and what of it is too much, stands in the slot', async (t) => {
  const bed = openBed(t);
  const thread = openThread(t, bed, PUBLISHER, { bus: { kind: 'port', port: bed.port('mine', 100) }, awaitsBus: true });
  thread.send({ t: 'start' });
  await thread.hears('started');
  assert.deepEqual([thread.slot[SLOT.published], thread.slot[SLOT.refused]], [0n, 0n]);
  const answer = await thread.invoke('publish', { count: 500 });
  assert.ok(answer.ok && (answer.value as number) > 0, JSON.stringify(answer));
  await poll('the slot says so', () => thread.slot[SLOT.refused] === BigInt(answer.value as number));
  assert.equal(thread.slot[SLOT.published], 500n);
});

test('what a thread prints in a loop is cut where it is printed, and said', async (t) => {
  const module = `
export default {
  id: 'mine',
  start: () => ({
    verbs: {
      print: async ({ bytes }) => {
        for (let i = 0; i < bytes / 1000; i++) console.log('x'.repeat(999));
        await new Promise((resolve) => process.stdout.write('end', resolve));
      },
      say: ({ words }) => void console.log(words),
    },
    probe: () => ({}),
  }),
};`;
  const thread = openThread(t, openBed(t), module);
  let printed = 0;
  thread.worker.stdout.on('data', (chunk: Buffer) => {
    printed += chunk.length;
  });
  thread.send({ t: 'start' });
  await thread.hears('started');
  assert.deepEqual(await thread.invoke('print', { bytes: 50e6 }), { ok: true, value: undefined });
  await poll('it is said', () =>
    thread.said.some(
      (said) =>
        said.t === 'log' && /^\d+ writes to stdout dropped: more than 1048576 bytes in a second$/.test(said.message),
    ),
  );
  assert.ok(printed >= 1e6 && printed < 25e6, `${printed} bytes came through`);
  const before = printed;
  await poll('it may print again', async () => {
    await thread.invoke('say', { words: 'again' });
    return printed > before;
  });
});
