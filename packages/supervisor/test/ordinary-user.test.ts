import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { HOME } from '@grace/contracts';
import { bootSystem, type System } from '@grace/testkit';
import { misbehavingKernels } from './misbehaving.ts';

/** Of `nobody` on Linux. */
const NOBODY = { uid: 65_534, gid: 65_534 };

const skip =
  process.getuid?.() === 0 ? false : 'only root can become another user; the other tests run as an ordinary one then';

test('an ordinary user boots, loses kernels and cells, and stops without any privilege', { skip }, async (t) => {
  const { config, files } = misbehavingKernels({ victim: {} });
  let system: System;
  try {
    system = await bootSystem({ config, files, user: NOBODY });
  } catch (error) {
    if (!/EACCES|permission denied/i.test(String(error))) throw error;
    t.skip(`another user cannot read this repository: ${(error as Error).message.split('\n')[0]}`);
    return;
  }
  try {
    assert.equal(system.booted.code, 0, system.booted.stdout + system.booted.stderr);
    assert.equal(statSync(system.home).uid, NOBODY.uid);
    for (const file of [HOME.controlSocket, HOME.busSocket, HOME.busKey]) {
      assert.equal(statSync(join(system.home, file)).mode & 0o077, 0, `${file} is for its owner alone`);
    }
    const { incarnation } = await system.kernel('victim');
    await system.call('victim', 'spin');
    await system.back('victim', incarnation);
    const { incarnation: librarian } = await system.kernel('librarian');
    process.kill(await system.cellPid('work'), 'SIGKILL');
    await system.back('librarian', librarian);
    assert.equal((await system.grace('log', 'verify')).code, 0);
  } finally {
    await system.stop();
  }
});
