import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { callThroughout } from '@grace/testkit';
import { bootHostile, incarnations, settled } from './bed.ts';

test('60 s of a process outside on every core: nobody is restarted, everybody serves', async () => {
  const system = await bootHostile();
  try {
    await settled(system);
    const before = await incarnations(system);
    const calls = ['hostile', 'mate', 'other'].map((id) => callThroughout(system, id, 'total'));
    const burn = 'const end = Date.now() + 60_000; while (Date.now() < end);';
    const hogs = Array.from({ length: availableParallelism() }, () =>
      promisify(execFile)(process.execPath, ['-e', burn], { timeout: 90_000 }),
    );
    await Promise.all(hogs);
    assert.deepEqual((await Promise.all(calls.map((one) => one.end()))).flat(), []);
    for (const one of calls) assert.ok(one.answered > 100, `${one.answered} calls were answered`);
    assert.deepEqual(await incarnations(system), before);
  } finally {
    await system.stop();
  }
});
