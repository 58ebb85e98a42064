import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { GraceError } from '@grace/contracts';
import { parseAcl } from '@grace/contracts/config';
import { poll, rigKernels } from '@grace/testkit';
import { processesWith, type Shown, withSandbox } from './fixtures/bench.ts';
import { createGate } from './gate.ts';
import kernel from './kernel.ts';

const WAIT = { 'wait.mjs': 'setInterval(() => {}, 1000);' };
const waiting = { command: 'node', args: ['wait.mjs'], files: WAIT, timeoutMs: 60_000 };

describe('a snippet', () => {
  test('answers its last value, or what its promise comes to, from input that is JSON', () =>
    withSandbox(async ({ call }) => {
      for (const [code, input, value] of [
        ['input.a + 1', { a: 1 }, 2],
        ['Promise.resolve(input).then(([x]) => ({ x }))', [7], { x: 7 }],
        ['undefined', undefined, null],
        ['input.__proto__ === Object.prototype && input.own', JSON.parse('{"own":true}'), true],
        ["JSON.stringify = () => 'no'; [1]", null, [1]],
      ] as const) {
        assert.deepEqual((await call('evaluate', { code, input }))['value'], value, code);
      }
      const said = await call('evaluate', { code: "console.log('a', { b: 1 }, undefined); console.log(1n); 1" });
      assert.deepEqual(said['console'], ['a {"b":1} undefined', '[TypeError: Do not know how to serialize a BigInt]']);
      const record = (await call<Shown[]>('runs', { limit: 1 }))[0]!;
      assert.deepEqual([record.state, record.by, record.hash.length], ['ok', 'test', 64]);
      assert.ok(!JSON.stringify(record).includes('console'), 'the code itself is not kept');
    }));

  test('that throws is told with message and line, and sees nothing of the one before', () =>
    withSandbox(async ({ call }) => {
      await call('evaluate', { code: 'globalThis.left = 1; Array.prototype.map = null; 0' });
      assert.deepEqual((await call('evaluate', { code: '[typeof left, typeof [].map]' }))['value'], [
        'undefined',
        'function',
      ]);
      await assert.rejects(call('evaluate', { code: '\n\nnull.x', id: 'bad' }), (error: GraceError) => {
        assert.equal(error.code, 'SANDBOX_ERROR');
        assert.match(error.message, /line 3: TypeError/);
        assert.deepEqual([error.details['line'], error.details['run']], [3, 'bad']);
        return true;
      });
    }));

  test('that never ends does not hold the kernel', () =>
    withSandbox(async ({ call, rig }) => {
      const loop = call('evaluate', { id: 'loop', code: 'for (;;);', timeoutMs: 30_000 }).catch((error) => error);
      await poll('it to run', async () => (await call<Shown[]>('runs', { id: 'loop' }))[0]!.state === 'running');
      assert.equal((await rig.probe('sandbox'))['value'], 42);
      assert.deepEqual(await call('cancel', { id: 'loop' }), { id: 'loop', cancelled: true });
      assert.equal((await loop).code, 'SANDBOX_CANCELLED');
    }));
});

describe('runs', () => {
  test('beyond what may run wait, beyond what may wait are refused, and what waits can be cancelled', () =>
    withSandbox(
      async ({ call, outcome, record }) => {
        const first = outcome('execute', { ...waiting, id: 'first' });
        await poll('the first to run', async () => (await record('first'))?.state === 'running').catch(() => {});
        const second = outcome('execute', { ...waiting, id: 'second' });
        await poll('the second to wait', async () => (await call<Shown[]>('runs', { state: 'queued' })).length === 1);
        assert.equal(await outcome('execute', { ...waiting, id: 'third' }), 'SANDBOX_BUSY');
        assert.equal(await outcome('execute', { ...waiting, id: 'first' }), 'SANDBOX_BUSY');
        await call('cancel', { id: 'second' });
        assert.equal(await second, 'SANDBOX_CANCELLED');
        assert.equal(await outcome('evaluate', { code: '1', id: 'first' }), 'CONFLICT');
        assert.equal((await record('first')).state, 'running', 'a refused namesake leaves it alone');
        await call('cancel', { id: 'first' });
        assert.equal(await first, 'SANDBOX_CANCELLED');
        assert.deepEqual([(await record('first')).state, (await record('second')).state], ['cancelled', 'cancelled']);
        assert.equal(await outcome('cancel', { id: 'first' }), 'CONFLICT');
        await assert.rejects(call('cancel', { id: 'frst' }), /did you mean "first"/);
      },
      { children: 1, queue: 1 },
    ));

  test('are cancelled by who asked, or by an operator', () =>
    withSandbox(async ({ rig, call, outcome, record }) => {
      const other = rig.bus('somebody');
      const run = outcome('execute', { ...waiting, id: 'mine' });
      await poll('it to run', async () => (await record('mine').catch(() => null))?.state === 'running');
      const ask = (from: typeof other) =>
        from.request('kernel.sandbox.call.cancel', { id: 'mine' }, { deadlineMs: 10_000 });
      await assert.rejects(ask(other), { code: 'FORBIDDEN' });
      assert.equal((await record('mine')).state, 'running');
      await ask(rig.bus('cli'));
      assert.equal(await run, 'SANDBOX_CANCELLED');
      assert.equal(await call('status').then(({ execute }) => (execute as { underWay: number }).underWay), 0);
    }));

  test('a place is given to who waits, and nobody waits for ever', async () => {
    const gate = createGate('test', 1, 2);
    const stop = new AbortController();
    const leave = await gate.enter(stop.signal);
    const next = gate.enter(stop.signal);
    const gone = new AbortController();
    const third = gate.enter(gone.signal);
    assert.throws(() => gate.check(), { code: 'SANDBOX_BUSY' });
    gone.abort(new Error('left'));
    await assert.rejects(third, /left/);
    leave();
    leave();
    (await next)();
    assert.deepEqual(gate.load(), { underWay: 0, waiting: 0, slots: 1, queue: 2 });
  });

  test('only so many records are kept', () =>
    withSandbox(
      async ({ call }) => {
        for (let i = 0; i < 60; i++) await call('execute', { command: '/x' }).catch(() => {});
        for (let i = 0; i < 55; i++)
          await call('execute', { ...waiting, network: true }).catch((error) => assert.equal(error.code, 'FORBIDDEN'));
        const kept = await call<Shown[]>('runs', { limit: 500 });
        assert.ok(kept.length >= 3 && kept.length <= 54, `${kept.length}`);
        assert.ok(kept.every(({ state }) => state === 'refused'));
      },
      { runsKept: 3 },
    ));

  test('that kill -9 ends are lost, their programs are ended at the next start, and their folders are gone', {
    timeout: 120_000,
  }, async () => {
    const fixture = fileURLToPath(new URL('./fixtures/runs-until-killed.ts', import.meta.url));
    const mark = `mark-${process.pid}-${Date.now()}`;
    const holder = spawn(process.execPath, [fixture, mark], { stdio: ['ignore', 'pipe', 'inherit'] });
    const ended = once(holder, 'exit');
    const [line] = (await once(holder.stdout, 'data')) as [Buffer];
    const home = line.toString().trim();
    // A run is on record as running before its program is started.
    try {
      await poll('the program to run', () => processesWith(mark).length > 0);
    } finally {
      holder.kill('SIGKILL');
      await ended;
    }
    const stateDir = join(home, 'sandbox');
    try {
      assert.ok(processesWith(mark).length > 0, 'the program outlives the kernel');
      await withSandbox(
        async ({ record, outcome }) => {
          assert.deepEqual(processesWith(mark), []);
          for (const id of ['program', 'snippet', 'waiting']) assert.equal((await record(id)).state, 'lost', id);
          assert.ok(!existsSync(join(stateDir, 'runs/program')));
          assert.equal(await outcome('evaluate', { code: '1' }), 'ok');
        },
        {},
        stateDir,
      );
    } finally {
      rmSync(home, { recursive: true, force: true });
    }
  });

  test('under way when the kernel stops are ended with it', async () => {
    const mark = `stop-${process.pid}-${Date.now()}`;
    let run: Promise<string> | undefined;
    await withSandbox(async ({ outcome, record }) => {
      run = outcome('execute', { ...waiting, args: ['wait.mjs', mark], id: 'one' });
      await poll('it to run', async () => (await record('one').catch(() => null))?.state === 'running');
    });
    assert.equal(await run, 'SANDBOX_CANCELLED');
    assert.deepEqual(processesWith(mark), []);
  });
});

test('what a verb is asked wrongly is refused with a code, and nothing is run', () =>
  withSandbox(async ({ outcome, call }) => {
    const circle: Record<string, unknown> = {};
    circle['self'] = circle;
    const node = { command: 'node', args: ['a.mjs'], files: { 'a.mjs': '' } };
    for (const [verb, input, code] of [
      ['evaluate', {}, 'BAD_INPUT'],
      ['evaluate', { code: 7 }, 'BAD_INPUT'],
      ['evaluate', { code: 'x'.repeat(300_000) }, 'BAD_INPUT'],
      ['evaluate', { code: '1', input: circle }, 'BAD_INPUT'],
      ['evaluate', { code: '1', input: 1n }, 'BAD_INPUT'],
      ['evaluate', { code: '1', input: 'x'.repeat(1_100_000) }, 'TOO_LARGE'],
      ['evaluate', { code: '1', timeoutMs: 0 }, 'BAD_INPUT'],
      ['evaluate', { code: '1', memoryBytes: 1 }, 'BAD_INPUT'],
      ['evaluate', { code: '1', id: '../x' }, 'BAD_INPUT'],
      ['evaluate', { code: '1', tiemoutMs: 5 }, 'BAD_INPUT'],
      ['execute', { command: '/bin/sh', args: ['-c', 'id'] }, 'FORBIDDEN'],
      ['execute', { command: 'sh' }, 'FORBIDDEN'],
      ['execute', { command: 'node' }, 'BAD_INPUT'],
      ['execute', { ...node, args: ['--eval', '1'] }, 'BAD_INPUT'],
      ['execute', { ...node, args: ['--allow-child-process', 'a.mjs'] }, 'BAD_INPUT'],
      ['execute', { ...node, args: ['/etc/passwd'] }, 'BAD_INPUT'],
      ['execute', { ...node, args: ['a.mjs', 'nul\0'] }, 'BAD_INPUT'],
      ['execute', { ...node, files: { 'a.mjs': 1 } }, 'BAD_INPUT'],
      ['execute', { ...node, files: { 'a.mjs': '', '/etc/x': '' } }, 'FORBIDDEN'],
      ['execute', { ...node, files: { 'a.mjs': '', 'b/../../x': '' } }, 'FORBIDDEN'],
      ['execute', { ...node, files: { 'a.mjs': '', './a.mjs': '' } }, 'BAD_INPUT'],
      ['execute', { ...node, files: { 'a.mjs': '', 'a.mjs/b': '' } }, 'BAD_INPUT'],
      ['execute', { ...node, files: { 'a.mjs': 'x'.repeat(1_100_000) } }, 'BAD_INPUT'],
      ['execute', { ...node, processes: 1000 }, 'BAD_INPUT'],
      ['execute', { ...node, isolation: 'none' }, 'BAD_INPUT'],
      ['cancel', { id: 'nobody' }, 'NOT_FOUND'],
      ['runs', { state: 'runing' }, 'BAD_INPUT'],
      ['runs', { id: "' OR 1=1 --" }, 'NOT_FOUND'],
      ['runs', { limit: 1e9 }, 'BAD_INPUT'],
      ['status', { a: 1 }, 'BAD_INPUT'],
    ] as const) {
      assert.equal(await outcome(verb, input), code, `${verb} ${Object.keys(input).join()}`);
    }
    assert.deepEqual(await call('runs'), []);
    await assert.rejects(
      withSandbox(async () => {}, { commands: ['ls'] }),
      { code: 'CONFIG_INVALID' },
    );
  }));

test('with the access rules of the product it asks nobody, and nobody without a rule for it asks it', async () => {
  const file = fileURLToPath(new URL('../../../../configs/acl.yaml', import.meta.url));
  const rig = await rigKernels([kernel], { acl: parseAcl(readFileSync(file, 'utf8'), 'acl.yaml') });
  try {
    const deadline = { deadlineMs: 5000 };
    const own = rig.bus('sandbox');
    for (const subject of [
      'governance.call.decide',
      'secret_manager.call.get',
      'scheduler.call.add',
      'sandbox.call.runs',
    ])
      await assert.rejects(own.request(`kernel.${subject}`, {}, deadline), { code: 'BUS_DENIED' }, subject);
    for (const verb of ['evaluate', 'execute', 'cancel'])
      await assert.rejects(rig.bus('chaos_test').request(`kernel.sandbox.call.${verb}`, {}, deadline), {
        code: 'BUS_DENIED',
      });
    assert.equal(
      ((await rig.bus('cli').request('kernel.sandbox.call.evaluate', { code: '2' }, deadline)) as { value: number })
        .value,
      2,
    );
  } finally {
    await rig.close();
  }
});
