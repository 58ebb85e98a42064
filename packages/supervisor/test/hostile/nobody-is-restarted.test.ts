import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, describe, test } from 'node:test';
import { callThroughout, poll, type System } from '@grace/testkit';
import { bootHostile, incarnations, recordsAfter, settled } from './bed.ts';
import { recordOf } from './suite.ts';

describe('what no restart would cure', () => {
  let system: System;
  before(async () => {
    system = await bootHostile({}, { deaf: { cell: 'apart', drain_deadline: '300ms', config: { deaf: true } } });
    assert.equal(system.booted.code, 0, system.booted.stdout);
  });
  after(() => system?.site.close({ mayLeave: true }));

  const seq = async (): Promise<number> => (await system.status()).system.journalSeq;

  test('a setImmediate storm: overload is named, it is held back, and let go when it calms; nobody is restarted', async () => {
    await settled(system);
    const from = await seq();
    const before = await incarnations(system);
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
    assert.deepEqual(await incarnations(system), before);
    const kinds = (await recordsAfter(system, from)).flatMap((record) =>
      record.name === 'incident:open' ? [record.data.incident.kind] : [],
    );
    assert.ok(kinds.includes('cpu_overload'), kinds.join(', '));
  });

  test('a whole core for what others ask: it is named, and goes on at full speed while there is a core to spare', async () => {
    await settled(system);
    const from = await seq();
    const before = await incarnations(system);
    const asked = [1, 2].map(() => callThroughout(system, 'hostile', 'compute', { forMs: 40 }, 0));
    try {
      const sinceMs = performance.now();
      const outcome = await poll(
        'it is named, or had no whole core for 20 s',
        async () => {
          const records = await recordsAfter(system, from);
          if (records.some((record) => record.name === 'incident:open' && record.data.incident.kind === 'cpu_overload'))
            return 'named';
          // On a machine that others fill it has no whole core, and there is nothing to name.
          const { cpuPercent } = await system.kernel('hostile');
          return performance.now() - sinceMs > 20_000 && (cpuPercent ?? 100) < 90 ? 'crowded' : null;
        },
        { deadlineMs: 80_000 },
      );
      const answered = (): number => asked.reduce((sum, { answered: count }) => sum + count, 0);
      const then = answered();
      await poll('it goes on serving', () => answered() > then + 50, { deadlineMs: 60_000 });
      const records = await recordsAfter(system, from);
      const evidence = records.flatMap((record) => (record.name === 'detector:fire' ? [record.data.evidence] : []));
      // There it is also held, should it have served less than it took from them.
      const isFull =
        outcome === 'crowded' ||
        evidence.some(({ machine }) => machine === 'full') ||
        records.some((record) => record.name === 'incident:open' && record.data.incident.kind === 'cpu_saturation');
      if (!isFull) {
        assert.ok(
          evidence.some(({ servedShare }) => Number(servedShare) >= 0.8),
          JSON.stringify(evidence),
        );
        assert.deepEqual(
          records.filter(({ name, kernel }) => name === 'kernel:limit' && kernel === 'hostile'),
          [],
        );
      }
    } finally {
      const failures = await Promise.all(asked.map((one) => one.end()));
      assert.deepEqual(failures.flat(), []);
    }
    await settled(system);
    assert.deepEqual(await incarnations(system), before);
  });

  test('a log flood: flooding is named, and nobody is restarted', async () => {
    const from = await seq();
    const before = await incarnations(system);
    const calls = ['mate', 'other'].map((id) => callThroughout(system, id, 'total'));
    await system.call('hostile', 'flood_log', { forMs: 4000 });
    await recordOf(system, from, 'incident:open', ({ data }) => data.incident.kind === 'flooding');
    await settled(system);
    assert.deepEqual((await Promise.all(calls.map((one) => one.end()))).flat(), []);
    assert.deepEqual(await incarnations(system), before);
  });

  test('no file descriptor left in its cell: nobody is restarted, and service is whole afterwards', async () => {
    const before = await incarnations(system);
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
    assert.deepEqual(await incarnations(system), before);
  });

  test('SIGSTOP of its cell: the cell is woken, and nobody is restarted', async () => {
    await settled(system);
    const from = await seq();
    const before = await incarnations(system);
    const calls = callThroughout(system, 'other', 'total');
    process.kill(await system.cellPid('pair'), 'SIGSTOP');
    await recordOf(system, from, 'incident:open', ({ data }) => data.incident.kind === 'cell_frozen');
    await settled(system);
    await system.call('hostile', 'count');
    assert.deepEqual(await calls.end(), []);
    assert.deepEqual(await incarnations(system), before);
  });

  test('a kernel that ignores drain is ended after its deadline', async () => {
    const { incarnation } = await system.kernel('deaf');
    assert.equal((await system.grace('restart', 'deaf')).code, 0);
    await system.back('deaf', incarnation);
  });

  test('leaves nothing behind when the system stops', async () => {
    await system.stop();
  });
});
