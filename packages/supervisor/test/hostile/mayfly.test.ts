import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { callThroughout, poll, type System } from '@grace/testkit';
import { bootHostile } from './bed.ts';

describe('a kernel that cannot live', () => {
  let system: System;
  before(async () => {
    const short = { budget: 2, reset_after: '1h' };
    system = await bootHostile({}, { mayfly: { cell: 'pair', config: { dieAfterMs: 5000 }, restart: short } });
  });
  after(() => system?.site.close({ mayLeave: true }));

  test('and dies every 5 s after it was ready is given up, and nobody else suffers', async () => {
    const calls = ['mate', 'other'].map((id) => callThroughout(system, id, 'total'));
    await poll('it is given up', async () => (await system.kernel('mayfly')).state === 'quarantined', {
      deadlineMs: 60_000,
    });
    assert.deepEqual((await Promise.all(calls.map((one) => one.end()))).flat(), []);
    const [escalated] = await system.journal('incident:escalate');
    assert.match(escalated!.data.reason, /mayfly used up 2 restarts/);
  });

  test('leaves nothing behind when the system stops', async () => {
    await system.stop();
  });
});
