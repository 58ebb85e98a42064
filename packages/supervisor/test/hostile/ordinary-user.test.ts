import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { callThroughout, type System } from '@grace/testkit';
import { bootHostile, settled } from './bed.ts';
import { CASES } from './cases.ts';
import { hostileTests, recordOf } from './suite.ts';

/** Of `nobody` on Linux. */
const NOBODY = { uid: 65_534, gid: 65_534 };
const skip =
  process.getuid?.() === 0 ? false : 'only root can become another user; hostile.test.ts runs as an ordinary one then';

describe('a hostile kernel of an ordinary user, without any control group', { skip }, () => {
  let system: System;
  before(async () => {
    system = await bootHostile({ user: NOBODY });
    assert.equal(system.booted.code, 0, system.booted.stdout + system.booted.stderr);
  });
  after(() => system?.site.close({ mayLeave: true }));

  test('is held by the duty cycle, and that is said', async () => {
    assert.equal((await system.status()).system.enforcement.cpu, 'inspector');
  });

  hostileTests(() => system, CASES, NOBODY);

  test('a setImmediate storm is held back, and nobody is restarted', async () => {
    await settled(system);
    const { journalSeq } = (await system.status()).system;
    const calls = ['mate', 'other'].map((id) => callThroughout(system, id, 'total'));
    const { incarnation } = await system.kernel('hostile');
    await system.call('hostile', 'immediate_storm');
    const { data } = await recordOf(system, journalSeq, 'kernel:limit', ({ kernel }) => kernel === 'hostile');
    assert.deepEqual([data.why, data.method], ['overload', 'inspector']);
    await system.call('hostile', 'calm', {}, 30_000);
    await settled(system);
    assert.deepEqual((await Promise.all(calls.map((one) => one.end()))).flat(), []);
    assert.equal((await system.kernel('hostile')).incarnation, incarnation);
  });

  test('leaves nothing behind when the system stops', async () => {
    await system.stop();
  });
});
