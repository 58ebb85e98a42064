import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bootSystem, callThroughout, poll } from '@grace/testkit';
import { misbehavingKernels } from './misbehaving.ts';

test('a kernel that floods the log stops nobody else, and its log stays within its bound', async () => {
  const system = await bootSystem(
    misbehavingKernels({ flooder: {}, mate: {}, other: { cell: 'apart' } }, { log_max: '1MB', log_files: 2 }),
  );
  try {
    assert.equal(system.booted.code, 0, system.booted.stdout);
    const calls = ['mate', 'other'].map((id) => callThroughout(system, id, 'count'));
    assert.deepEqual(await system.call('flooder', 'log', { lines: 100_000 }, 60_000), { lines: 100_000 });
    const answered = calls.map((one) => one.answered);
    await poll('the others answer after it', () => calls.every((one, i) => one.answered > answered[i]! + 5));
    assert.deepEqual((await Promise.all(calls.map((one) => one.end()))).flat(), []);
    for (const id of ['mate', 'other']) assert.equal((await system.kernel(id)).incarnation, 1, id);
    assert.deepEqual(await system.journal('kernel:restart'), []);
    const sizes = await poll('the log is written', () => {
      const found = system.site.sizes('home/logs', /^user\.log/);
      return found.length > 1 && found;
    });
    assert.ok(sizes.length <= 3, `${sizes}`);
  } finally {
    await system.stop();
  }
});
