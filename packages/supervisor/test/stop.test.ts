import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { test } from 'node:test';
import { bootSystem, openSite, poll } from '@grace/testkit';
import { misbehavingKernels } from './misbehaving.ts';

const HELD: [how: string, verb: string][] = [
  ['spins', 'spin'],
  ['waits for ever', 'wait'],
  ['sits in native code', 'read'],
];

for (const [how, verb] of HELD) {
  test(`a system stops while a kernel ${how}`, async () => {
    const system = await bootSystem(misbehavingKernels({ victim: {}, mate: {} }));
    try {
      const path = join(system.home, 'fifo');
      execFileSync('mkfifo', [path]);
      await system.call('victim', verb, { path });
      const { code, stdout } = await system.grace('stop', '--json');
      assert.equal(code, 0);
      assert.deepEqual(JSON.parse(stdout).left, []);
    } finally {
      await system.stop();
    }
  });
}

test('a system stops in time though a kernel never ends to drain', async () => {
  const system = await bootSystem(
    misbehavingKernels({ victim: { config: { fault: 'drain' }, drain_deadline: '500ms' } }),
  );
  try {
    const { code, stdout } = await system.grace('stop', '--json');
    assert.equal(code, 0);
    assert.deepEqual(JSON.parse(stdout).killed, [], 'every process ended by itself');
  } finally {
    await system.stop();
  }
});

test('SIGTERM to the supervisor itself drains and ends the system', async () => {
  const system = await bootSystem({ args: ['--only', 'scheduler'] });
  try {
    process.kill(system.pid, 'SIGTERM');
    await poll('everything has ended', () => system.pids().length === 0);
  } finally {
    await system.stop();
  }
});

test('a boot that is interrupted while a kernel hangs in its start leaves nothing', async () => {
  const { config, files } = misbehavingKernels({ hanger: { config: { fault: 'hang' } } });
  const site = openSite({ config, files });
  try {
    const boot = site.start('boot', '--only', 'hanger');
    await poll('the others are ready', () => /ready +message_bus/.test(boot.output()));
    boot.child.kill('SIGINT');
    assert.notEqual((await boot.ended).code, 0);
    await site.stop();
  } finally {
    await site.close();
  }
});
