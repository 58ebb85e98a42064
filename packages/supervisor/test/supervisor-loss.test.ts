import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bootSystem, openSite, poll } from '@grace/testkit';

test('cells that lose their supervisor drain and end; the next system of the home has their state and an unbroken journal', async () => {
  const site = openSite({ config: { settings: { orphan: '1s' } } });
  try {
    const system = await bootSystem({ site });
    assert.equal(system.booted.code, 0, system.booted.stdout);
    await system.call('memory_fusion', 'remember', { text: 'the ferry leaves at noon' });
    const before = await system.journal();
    system.client.close();
    process.kill(system.pid, 'SIGKILL');
    await poll('every cell has ended', () => site.pids().length === 0, { deadlineMs: 30_000 });

    const next = await bootSystem({ site });
    assert.equal(next.booted.code, 0, next.booted.stdout + next.booted.stderr);
    const [found] = await next.call<{ text: string }[]>('memory_fusion', 'recall', { query: 'ferry noon' });
    assert.equal(found?.text, 'the ferry leaves at noon');
    const records = await next.journal();
    assert.deepEqual(
      records.map(({ seq }) => seq),
      Array.from(records, (_, i) => i + 1),
    );
    // What was said in the last instant before the kill may not have reached the disk.
    const reached = before.slice(0, before.findLastIndex(({ name }) => name === 'system:ready') + 1);
    assert.deepEqual(records.slice(0, reached.length), reached);
    assert.equal(records.filter(({ name }) => name === 'system:boot').length, 2);
    const verified = await next.grace('log', 'verify');
    assert.equal(verified.code, 0, verified.stdout + verified.stderr);
    await next.stop();
  } finally {
    await site.close();
  }
});

test('a system that boots while cells of a killed supervisor still run has every kernel once', async () => {
  const site = openSite();
  try {
    const system = await bootSystem({ site });
    await system.call('memory_fusion', 'remember', { text: 'the ferry leaves at noon' });
    system.client.close();
    process.kill(system.pid, 'SIGKILL');
    const left = await poll('the cells are alone', () => !site.pids().includes(system.pid) && site.pids());
    assert.equal(left.length, 4);

    const next = await bootSystem({ site });
    assert.equal(next.booted.code, 0, next.booted.stdout + next.booted.stderr);
    const [found] = await next.call<{ text: string }[]>('memory_fusion', 'recall', { query: 'ferry noon' });
    assert.equal(found?.text, 'the ferry leaves at noon');
    const { cells } = await next.status();
    const own = [next.pid, ...cells.map(({ pid }) => pid!)].sort((a, b) => a - b);
    await poll("cells that are nobody's have ended", () => site.pids().join() === own.join(), { deadlineMs: 30_000 });
    assert.equal((await next.status()).system.state, 'running');
    await next.stop();
  } finally {
    await site.close({ mayLeave: true });
  }
});
