import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { bootSystem, callThroughout, poll, type System } from '@grace/testkit';

const entry = { actor: 'tester', action: 'wrote', resource: 'a record', subsystem: 'test', outcome: 'ok' };

describe('a system that loses a cell', () => {
  let system: System;
  let kept: { seq: number };
  before(async () => {
    system = await bootSystem();
    assert.equal(system.booted.code, 0, system.booted.stdout);
    await system.call('memory_fusion', 'remember', { text: 'the harbour freezes in January' });
    kept = await system.call('immutable_log', 'append', entry);
    await system.call('scheduler', 'add', {
      id: 'nightly',
      cron: '0 3 * * *',
      publish: { subject: 'task.nightly', payload: 1 },
    });
  });
  after(() => system?.site.close({ mayLeave: true }));

  const stateIsThere = async (): Promise<void> => {
    const found = await system.call<{ text: string }[]>('memory_fusion', 'recall', { query: 'harbour January' });
    assert.equal(found[0]?.text, 'the harbour freezes in January');
    const { entries } = await system.call<{ entries: { actor: string }[] }>('immutable_log', 'read', {
      from: kept.seq,
      limit: 1,
    });
    assert.equal(entries[0]?.actor, 'tester');
    const jobs = await system.call<{ id: string }[]>('scheduler', 'jobs');
    assert.deepEqual(
      jobs.map(({ id }) => id),
      ['nightly'],
    );
  };

  for (const cell of ['work', 'edge', 'repair', 'core']) {
    test(`kill -9 of ${cell}: its kernels come back with what they knew, the others serve throughout`, async () => {
      const before = (await system.status()).kernels;
      const [lost, others] = [true, false].map((is) => before.filter((kernel) => (kernel.cell === cell) === is));
      assert.ok(lost!.length > 0 && others!.length > 0);
      const calls = others!.map(({ id }) => callThroughout(system, id, 'status', {}, 25));
      await poll('everybody is called', () => calls.every(({ answered }) => answered > 0));

      process.kill(await system.cellPid(cell), 'SIGKILL');
      for (const { id, incarnation } of lost!) {
        const now = await system.back(id, incarnation);
        assert.equal(now.incarnation, incarnation + 1, `${id} came back once`);
      }
      const counts = calls.map(({ answered }) => answered);
      await poll('everybody is called after it', () => calls.every(({ answered }, i) => answered > counts[i]! + 2));
      const failures = (await Promise.all(calls.map((one) => one.end()))).flat();
      assert.deepEqual(failures, []);

      for (const { id, incarnation } of others!) assert.equal((await system.kernel(id)).incarnation, incarnation, id);
      await stateIsThere();
    });
  }

  test('says in its journal that nobody inside was to blame', async () => {
    const exits = await system.journal('cell:exit');
    assert.deepEqual(
      exits.map(({ cell, data }) => [cell, data.signal, data.expected]),
      ['work', 'edge', 'repair', 'core'].map((cell) => [cell, 'SIGKILL', false]),
    );
    for (const { kernel, data } of await system.journal('kernel:restart')) {
      assert.deepEqual([data.cause, data.attempt], ['cell', 0], kernel ?? '');
    }
    const incidents = await poll('every incident is closed', async () => {
      // A busy machine is an incident of its own, and nobody's fault inside.
      const all = (await system.client.request('incidents', {})).filter(({ subject }) => subject !== 'machine');
      return all.every(({ closedMono }) => closedMono !== undefined) && all;
    });
    const kinds = incidents.map(({ kind }) => kind);
    assert.deepEqual(kinds, ['cell_crash', 'cell_crash', 'cell_crash', 'cell_crash']);
  });

  test('is asked to end a cell from outside: it drains, and its kernels come back', async () => {
    const { incarnation } = await system.kernel('scheduler');
    process.kill(await system.cellPid('edge'), 'SIGTERM');
    await system.back('scheduler', incarnation);
    await stateIsThere();
  });

  test('wakes a cell that was stopped by a signal, and restarts nobody', async () => {
    const before = await system.kernel('librarian');
    const pid = await system.cellPid('work');
    process.kill(pid, 'SIGSTOP');
    await poll('the cell was found frozen, and is heard again', async () => {
      const incidents = await system.client.request('incidents', {});
      return incidents.some(({ kind, closedMono }) => kind === 'cell_frozen' && closedMono !== undefined);
    });
    assert.equal(await system.cellPid('work'), pid);
    assert.equal((await system.kernel('librarian')).incarnation, before.incarnation);
    await stateIsThere();
  });

  test('leaves nothing behind when it stops', async () => {
    await system.stop();
  });
});
