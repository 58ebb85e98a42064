import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { bootSystem, callThroughout, poll, type System } from '@grace/testkit';
import { misbehavingKernels } from './misbehaving.ts';

const patient = { budget: 50, reset_after: '1h' };

describe('a kernel that misbehaves', () => {
  let system: System;
  before(async () => {
    system = await bootSystem(
      misbehavingKernels({
        victim: { restart: patient, limits: { heap: '32MiB' } },
        mate: { restart: patient },
        other: { cell: 'apart' },
      }),
    );
    assert.equal(system.booted.code, 0, system.booted.stdout);
  });
  after(() => system?.site.close({ mayLeave: true }));

  /** Does it to the victim, and resolves when it is back; nobody else may notice. */
  const onlyTheVictim = async (verb: string, input: object = {}): Promise<void> => {
    const { count } = await system.call<{ count: number }>('victim', 'count');
    const [victim, mate, other] = [
      await system.kernel('victim'),
      await system.kernel('mate'),
      await system.kernel('other'),
    ];
    const calls = ['mate', 'other'].map((id) => callThroughout(system, id, 'count'));
    await system.call('victim', verb, input);
    const back = await system.back('victim', victim.incarnation);
    assert.equal(back.incarnation, victim.incarnation + 1, 'it came back once');
    assert.deepEqual((await Promise.all(calls.map((one) => one.end()))).flat(), []);
    assert.equal((await system.kernel('mate')).incarnation, mate.incarnation);
    assert.equal((await system.kernel('other')).incarnation, other.incarnation);
    assert.deepEqual(await system.call('victim', 'total'), { count });
  };
  const lastRestart = async (): Promise<string | undefined> =>
    (await system.journal('kernel:restart')).filter(({ kernel }) => kernel === 'victim').at(-1)?.data.cause;

  test('by throwing is back with its state', async () => {
    await onlyTheVictim('crash');
    assert.equal(await lastRestart(), 'crash');
    const exit = (await system.journal('kernel:exit')).at(-1)!;
    assert.match(exit.data.error!.message, /thrown on purpose/);
  });

  test('by an unhandled rejection ends itself alone', async () => {
    await onlyTheVictim('reject');
    assert.equal(await lastRestart(), 'crash');
    assert.match((await system.journal('kernel:exit')).at(-1)!.data.error!.message, /rejected on purpose/);
  });

  test('by ending itself is back, since it is permanent', async () => {
    await onlyTheVictim('exit', { code: 0 });
    assert.equal(await lastRestart(), 'ended');
  });

  test('by filling its heap faster than anybody can look is ended alone, by our limit or by V8', async () => {
    await onlyTheVictim('allocate');
    const cause = await lastRestart();
    assert.ok(cause === 'memory' || cause === 'crash', `restarted for ${cause}`);
    if (cause === 'crash') assert.match((await system.journal('kernel:exit')).at(-1)!.data.error!.message, /memory/i);
  });

  const condition = async (): Promise<string | undefined> =>
    (await system.journal('kernel:condition'))
      .filter(({ kernel, data }) => kernel === 'victim' && data.to !== 'healthy')
      .at(-1)?.data.to;

  test('by an endless loop is replaced alone', async () => {
    await onlyTheVictim('spin');
    assert.equal(await lastRestart(), 'hung');
    assert.equal(await condition(), 'spinning');
  });

  test('by waiting for ever in Atomics.wait is replaced alone', async () => {
    await onlyTheVictim('wait');
    assert.equal(await lastRestart(), 'hung');
    assert.equal(await condition(), 'blocked');
  });

  test('in native code, where its thread cannot be ended, costs its cell, and its mates are back with their state', async () => {
    const { count } = await system.call<{ count: number }>('mate', 'count');
    const [victim, mate, other] = [
      await system.kernel('victim'),
      await system.kernel('mate'),
      await system.kernel('other'),
    ];
    const pid = await system.cellPid('user');
    const path = join(system.site.home, 'fifo');
    execFileSync('mkfifo', [path]);
    const calls = callThroughout(system, 'other', 'count');
    // The process holds nobody back: reading a FIFO without a writer ends with SIGKILL.
    await system.call('victim', 'read', { path });
    await system.back('victim', victim.incarnation);
    await system.back('mate', mate.incarnation);
    assert.deepEqual(await calls.end(), []);
    assert.notEqual(await system.cellPid('user'), pid);
    assert.deepEqual(await system.call('mate', 'total'), { count });
    assert.equal((await system.kernel('other')).incarnation, other.incarnation);
    const [stuck] = await system.journal('kernel:stuck');
    assert.equal(stuck?.kernel, 'victim');
    const restarts = (await system.journal('kernel:restart')).filter(({ seq }) => seq > stuck!.seq);
    assert.deepEqual(restarts.map(({ kernel, data }) => [kernel, data.cause]).sort(), [
      ['mate', 'cell'],
      ['victim', 'hung'],
    ]);
  });

  test('is told in incidents that are closed when it is well again', async () => {
    const incidents = await poll('every incident is closed', async () => {
      // A busy machine is an incident of its own, and nobody's fault inside.
      const all = (await system.client.request('incidents', {})).filter(({ subject }) => subject !== 'machine');
      return all.every(({ closedMono }) => closedMono !== undefined) && all;
    });
    for (const kind of ['kernel_crash', 'kernel_hung']) {
      assert.ok(
        incidents.some((incident) => incident.kind === kind),
        kind,
      );
    }
  });

  test('leaves nothing behind when the system stops', async () => {
    await system.stop();
  });
});
