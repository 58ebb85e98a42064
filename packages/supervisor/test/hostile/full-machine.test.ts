import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { callThroughout } from '@grace/testkit';
import { bootHostile, incarnations, settled } from './bed.ts';

/** A minute by command: `GRACE_FULL_MACHINE_S=60`. */
const SECONDS = Number(process.env['GRACE_FULL_MACHINE_S'] ?? 20);
/** Asked every second, each kernel has more chances to be late in 20 s than in a minute of probes every 5 s. */
const probe = { interval: '1s' };

test(`${SECONDS} s of a process outside on every core: nobody is restarted, everybody serves`, async () => {
  const system = await bootHostile(
    {},
    { hostile: { cell: 'pair', probe }, mate: { cell: 'pair', probe }, other: { cell: 'apart', probe } },
  );
  try {
    await settled(system);
    const before = await incarnations(system);
    const calls = ['hostile', 'mate', 'other'].map((id) => callThroughout(system, id, 'total'));
    const burn = `const end = Date.now() + ${SECONDS * 1000}; while (Date.now() < end);`;
    const hogs = Array.from({ length: availableParallelism() }, () =>
      promisify(execFile)(process.execPath, ['-e', burn], { timeout: SECONDS * 1000 + 30_000 }),
    );
    await Promise.all(hogs);
    assert.deepEqual((await Promise.all(calls.map((one) => one.end()))).flat(), []);
    for (const one of calls) assert.ok(one.answered > 100, `${one.answered} calls were answered`);
    assert.deepEqual(await incarnations(system), before);
  } finally {
    await system.stop();
  }
});
