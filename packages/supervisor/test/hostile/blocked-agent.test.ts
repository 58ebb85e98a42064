import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type ControlClient, connectControl } from '@grace/control';
import { callThroughout, type System } from '@grace/testkit';
import { bootHostile, incarnations, settled } from './bed.ts';
import { recordOf } from './suite.ts';

describe('the main thread of a cell', () => {
  let system: System;
  let runner: ControlClient;
  before(async () => {
    system = await bootHostile({ armed: true });
    assert.equal(system.booted.code, 0, system.booted.stdout);
    runner = await connectControl(system.home, { role: 'runner', name: 'test' });
  });
  after(async () => {
    runner?.close();
    await system?.site.close({ mayLeave: true });
  });

  /** Blocks the agent of the cell in which the hostile kernel and its mate live; the fault ends by itself. */
  const block = async (durationMs: number): Promise<number> => {
    const { cells, system: about } = await system.status();
    const { incarnation } = cells.find(({ id }) => id === 'pair')!;
    const permit = await runner.request('drill.permit', {
      holder: 'test',
      faults: ['agent_block'],
      durationMs: 60_000,
    });
    const id = `block-${durationMs}`;
    const lease = { id, kind: 'agent_block' as const, target: 'pair', incarnation, durationMs, ttlMs: durationMs };
    await runner.request('fault.apply', { lease: { ...lease, correlation: id, permit: permit.id, params: {} } });
    return about.journalSeq;
  };

  test('that is blocked for 3 s is noticed, and nobody is restarted', async () => {
    const before = await incarnations(system);
    const calls = callThroughout(system, 'other', 'total');
    const from = await block(3000);
    await recordOf(system, from, 'incident:open', ({ data }) => data.incident.kind === 'cell_frozen');
    await settled(system);
    await system.call('hostile', 'count');
    assert.deepEqual(await calls.end(), []);
    assert.deepEqual(await incarnations(system), before);
  });

  test('that stays blocked costs its cell; its kernels are back with their state', async () => {
    const { count } = await system.call<{ count: number }>('mate', 'count');
    const [hostile, mate, other] = [
      await system.kernel('hostile'),
      await system.kernel('mate'),
      await system.kernel('other'),
    ];
    const calls = callThroughout(system, 'other', 'total');
    await block(30_000);
    await system.back('hostile', hostile.incarnation, 60_000);
    await system.back('mate', mate.incarnation, 60_000);
    assert.deepEqual(await calls.end(), []);
    assert.deepEqual(await system.call('mate', 'total'), { count });
    assert.equal((await system.kernel('other')).incarnation, other.incarnation);
  });

  test('leaves nothing behind when the system stops', async () => {
    await system.stop();
  });
});
