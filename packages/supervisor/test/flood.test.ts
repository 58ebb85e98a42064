import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { bootSystem, callThroughout, poll, type System } from '@grace/testkit';
import { misbehavingKernels } from './misbehaving.ts';

describe('a kernel that floods', () => {
  let system: System;
  before(async () => {
    system = await bootSystem(
      misbehavingKernels(
        { flooder: { heartbeat: '1ms', hung_after: '30s' }, mate: {}, other: { cell: 'apart' } },
        { log_max: '20kB', log_files: 2 },
      ),
    );
    assert.equal(system.booted.code, 0, system.booted.stdout);
  });
  after(() => system?.site.close({ mayLeave: true }));

  for (const verb of ['log', 'print']) {
    test(`with 100,000 lines (${verb}) stops nobody else`, async () => {
      const calls = ['mate', 'other'].map((id) => callThroughout(system, id, 'count'));
      assert.deepEqual(await system.call('flooder', verb, { lines: 100_000 }, 60_000), { lines: 100_000 });
      const answered = calls.map((one) => one.answered);
      await poll('the others answer after it', () => calls.every((one, i) => one.answered > answered[i]! + 5));
      assert.deepEqual((await Promise.all(calls.map((one) => one.end()))).flat(), []);
      for (const id of ['flooder', 'mate', 'other']) assert.equal((await system.kernel(id)).incarnation, 1, id);
      assert.deepEqual(await system.journal('kernel:restart'), []);
    });
  }

  test('is told how much of it was not written', async () => {
    // What was told of the flood before may be rotated away by now, so there is another; the word comes with a line after it.
    await poll('the log says so', async () => {
      await system.call('flooder', 'log', { lines: 5000 });
      await system.call('flooder', 'log', { lines: 1 });
      return /\d+ log records dropped/.test(readFileSync(join(system.home, 'logs/user.log'), 'utf8'));
    });
  });

  test('keeps the files of its cell within their bound', async () => {
    const logs = await poll('the log is rotated', () => {
      const sizes = system.site.sizes('home/logs', /^user\.log/);
      return sizes.length > 1 && sizes;
    });
    assert.equal(logs.length, 2);
    const bytes = system.site.sizes('home/logs', /^user\./).reduce((sum, size) => sum + size, 0);
    assert.ok(bytes < 1e6, `20 kB in 2 files are allowed; the folder holds ${bytes} bytes of this cell`);
  });

  test('leaves nothing behind when the system stops', async () => {
    await system.stop();
  });
});
