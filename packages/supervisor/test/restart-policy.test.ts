import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { bootSystem, callThroughout, poll, type System } from '@grace/testkit';
import { misbehavingKernels } from './misbehaving.ts';

describe('restarts', () => {
  let system: System;
  before(async () => {
    system = await bootSystem(
      misbehavingKernels({
        cursed: { config: { curse: 'state/cursed/curse' }, restart: { budget: 4 } },
        permanent: {},
        transient: { restart: { class: 'transient' } },
        temporary: { restart: { class: 'temporary' } },
      }),
    );
    assert.equal(system.booted.code, 0, system.booted.stdout);
  });
  after(() => system?.site.close({ mayLeave: true }));

  const until = (id: string, state: string) =>
    poll(`${id} is ${state}`, async () => (await system.kernel(id)).state === state && (await system.kernel(id)));

  test('of a kernel that crashes for ever slow down, and end in quarantine when the budget is used up; the others serve', async () => {
    system.site.write('home/state/cursed/curse', '');
    const calls = callThroughout(system, 'permanent', 'count');
    await system.call('cursed', 'crash');
    const kernel = await until('cursed', 'quarantined');
    assert.deepEqual(await calls.end(), []);
    assert.ok(kernel.quarantined);
    const restarts = (await system.journal('kernel:restart')).filter((record) => record.kernel === 'cursed');
    const delays = restarts.map(({ data }) => data.delayMs);
    assert.equal(delays.length, 4);
    assert.equal(delays[0], 0);
    for (const [i, base] of [100, 200, 400].entries()) {
      assert.ok(delays[i + 1]! >= base * 0.8 && delays[i + 1]! <= base * 1.2, `${delays}`);
    }
    const [quarantine] = await system.journal('kernel:quarantine');
    assert.deepEqual([quarantine?.kernel, quarantine?.data.restarts], ['cursed', 4]);
    assert.equal((await system.journal('incident:escalate')).length, 1);
    assert.equal((await system.status()).system.state, 'degraded');
  });

  test('are not made for a quarantined kernel, until somebody asks by hand', async () => {
    await assert.rejects(system.call('cursed', 'total'), { code: 'KERNEL_NOT_RUNNING' });
    system.site.remove('home/state/cursed/curse');
    const { code, stderr } = await system.grace('restart', 'cursed');
    assert.equal(code, 0, stderr);
    assert.equal((await system.kernel('cursed')).state, 'running');
  });

  test('bring a transient kernel back from a crash, and not from its own end', async () => {
    const { incarnation } = await system.kernel('transient');
    await system.call('transient', 'crash');
    await system.back('transient', incarnation);
    await system.call('transient', 'exit', { code: 0 });
    const stopped = await until('transient', 'stopped');
    assert.equal(stopped.incarnation, incarnation + 1);
  });

  test('bring a permanent kernel back from its own end', async () => {
    const { incarnation } = await system.kernel('permanent');
    await system.call('permanent', 'exit', { code: 0 });
    await system.back('permanent', incarnation);
  });

  test('never bring a temporary kernel back', async () => {
    await system.call('temporary', 'crash');
    const failed = await until('temporary', 'failed');
    assert.match(failed.error!.message, /thrown on purpose/);
    assert.equal((await system.grace('restart', 'temporary')).code, 0);
  });

  test('leave nothing behind when the system stops', async () => {
    await system.stop();
  });
});
