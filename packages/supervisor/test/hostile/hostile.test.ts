import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { availableParallelism } from 'node:os';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { callThroughout, poll, type System } from '@grace/testkit';
import { bootHostile, recordsAfter, settled } from './bed.ts';
import { CASES } from './cases.ts';
import { hostileTests, recordOf } from './suite.ts';

describe('a hostile kernel', () => {
  let system: System;
  before(async () => {
    system = await bootHostile({}, { deaf: { cell: 'apart', drain_deadline: '300ms', config: { deaf: true } } });
    assert.equal(system.booted.code, 0, system.booted.stdout);
  });
  after(() => system?.site.close({ mayLeave: true }));

  const seq = async (): Promise<number> => (await system.status()).system.journalSeq;
  const incarnations = async (): Promise<[string, number][]> =>
    (await system.status()).kernels.map(({ id, incarnation }) => [id, incarnation]);

  hostileTests(() => system, CASES);

  test('a setImmediate storm: overload is named, it is held back, and let go when it calms; nobody is restarted', async () => {
    await settled(system);
    const from = await seq();
    const before = await incarnations();
    const calls = ['mate', 'other', 'hostile'].map((id) => callThroughout(system, id, 'total'));
    await system.call('hostile', 'immediate_storm');
    const { data } = await recordOf(system, from, 'kernel:limit', ({ kernel }) => kernel === 'hostile');
    assert.equal(data.why, 'overload');
    assert.equal(data.cpu, 0.5);
    assert.notEqual(data.method, 'none');
    const [fired] = (await recordsAfter(system, from)).filter(
      (record) => record.name === 'detector:fire' && record.data.evidence['cpuShare'] !== undefined,
    );
    // On a machine that others fill nobody gets a whole core: then it is held for what it takes from them.
    if ((fired as { data: { evidence: Record<string, unknown> } }).data.evidence['machine'] !== 'full')
      assert.equal((await system.kernel('hostile')).condition, 'spinning');
    await system.call('hostile', 'calm', {}, 30_000);
    await recordOf(system, from, 'kernel:limit', (record) => record.kernel === 'hostile' && record.data.cpu === null);
    await settled(system);
    assert.deepEqual((await Promise.all(calls.map((one) => one.end()))).flat(), []);
    assert.deepEqual(await incarnations(), before);
    const kinds = (await recordsAfter(system, from)).flatMap((record) =>
      record.name === 'incident:open' ? [record.data.incident.kind] : [],
    );
    assert.ok(kinds.includes('cpu_overload'), kinds.join(', '));
  });

  test('a log flood: flooding is named, and nobody is restarted', async () => {
    const from = await seq();
    const before = await incarnations();
    const calls = ['mate', 'other'].map((id) => callThroughout(system, id, 'total'));
    await system.call('hostile', 'flood_log', { forMs: 4000 });
    await recordOf(system, from, 'incident:open', ({ data }) => data.incident.kind === 'flooding');
    await settled(system);
    assert.deepEqual((await Promise.all(calls.map((one) => one.end()))).flat(), []);
    assert.deepEqual(await incarnations(), before);
  });

  test('no file descriptor left in its cell: nobody is restarted, and service is whole afterwards', async () => {
    const before = await incarnations();
    const pid = await system.cellPid('pair');
    const calls = callThroughout(system, 'other', 'total');
    execFileSync('prlimit', ['--pid', String(pid), '--nofile=256:']);
    const { refused } = await system.call<{ refused: string }>('hostile', 'exhaust_descriptors', { forMs: 3000 });
    assert.equal(refused, 'EMFILE');
    await poll('there are descriptors again', async () => {
      const { refused: again, opened } = await system.call<{ refused: string; opened: number }>(
        'hostile',
        'exhaust_descriptors',
        { forMs: 1 },
      );
      return opened > 0 && again === 'EMFILE';
    });
    execFileSync('prlimit', ['--pid', String(pid), '--nofile=4096:']);
    await system.call('mate', 'count');
    assert.deepEqual(await calls.end(), []);
    assert.deepEqual(await incarnations(), before);
  });

  test('SIGSTOP of its cell: the cell is woken, and nobody is restarted', async () => {
    await settled(system);
    const from = await seq();
    const before = await incarnations();
    const calls = callThroughout(system, 'other', 'total');
    process.kill(await system.cellPid('pair'), 'SIGSTOP');
    await recordOf(system, from, 'incident:open', ({ data }) => data.incident.kind === 'cell_frozen');
    await settled(system);
    await system.call('hostile', 'count');
    assert.deepEqual(await calls.end(), []);
    assert.deepEqual(await incarnations(), before);
  });

  test('a kernel that ignores drain is ended after its deadline', async () => {
    const { incarnation } = await system.kernel('deaf');
    assert.equal((await system.grace('restart', 'deaf')).code, 0);
    await system.back('deaf', incarnation);
  });

  test('60 s of a process outside on every core: nobody is restarted, everybody serves', async () => {
    await settled(system);
    const before = await incarnations();
    const calls = ['hostile', 'mate', 'other'].map((id) => callThroughout(system, id, 'total'));
    const burn = 'const end = Date.now() + 60_000; while (Date.now() < end);';
    const hogs = Array.from({ length: availableParallelism() }, () =>
      promisify(execFile)(process.execPath, ['-e', burn], { timeout: 90_000 }),
    );
    await Promise.all(hogs);
    assert.deepEqual((await Promise.all(calls.map((one) => one.end()))).flat(), []);
    for (const one of calls) assert.ok(one.answered > 100, `${one.answered} calls were answered`);
    assert.deepEqual(await incarnations(), before);
  });

  test('leaves nothing behind when the system stops', async () => {
    await system.stop();
  });
});

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
