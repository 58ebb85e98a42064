import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type AnyRecord, HOME } from '@grace/contracts';
import { bootSystem, openSite, poll, type Site, type System } from '@grace/testkit';

const KERNELS = [
  ...['message_bus', 'immutable_log', 'self_healing', 'infrastructure_manager', 'memory_fusion'],
  ...['librarian', 'health_monitor', 'trigger_mesh', 'scheduler', 'governance'],
  ...['sandbox', 'secret_manager', 'coding_agent'],
  ...['clarity_framework', 'verification_framework', 'api_server', 'voice_conversation'],
  ...['meta_loop', 'agentic_spine', 'learning_integration'],
].sort();

function commandOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}

describe('a booted system', () => {
  let system: System;
  before(async () => {
    system = await bootSystem();
  });
  after(() => system?.site.close({ mayLeave: true }));

  test('has its kernels ready, and boot has ended with 0', async () => {
    assert.equal(system.booted.code, 0, system.booted.stdout + system.booted.stderr);
    const status = await system.status();
    assert.deepEqual(
      [status.system.state, status.system.ready, status.system.total],
      ['running', KERNELS.length, KERNELS.length],
    );
    assert.deepEqual(status.kernels.map(({ id }) => id).sort(), KERNELS);
    for (const { id, state, tid } of status.kernels) assert.ok(state === 'running' && tid, id);
  });

  test('called each kernel ready only after its functional probe had answered', async () => {
    const records = await system.journal();
    for (const kernel of KERNELS) {
      const own = records.filter((record) => record.kernel === kernel);
      const path = own.flatMap((record) =>
        record.name === 'kernel:state' ? [record.data.to] : record.name === 'kernel:ready' ? ['ready'] : [],
      );
      assert.deepEqual(path.slice(-4), ['starting', 'probing', 'running', 'ready'], kernel);
      const ready = own.find((record) => record.name === 'kernel:ready')!;
      assert.ok(Object.keys(ready.data.probe).length > 0, `${kernel} shows what its probe saw`);
    }
  });

  test('started no kernel before all it needs was ready', async () => {
    const records = await system.journal('kernel:state', 'kernel:ready');
    const first = (kernel: string, is: (record: AnyRecord) => boolean): number =>
      records.find((record) => record.kernel === kernel && is(record))!.seq;
    for (const { id, needs } of (await system.status()).kernels) {
      const starting = first(id, (record) => record.name === 'kernel:state' && record.data.to === 'starting');
      for (const need of needs)
        assert.ok(first(need, ({ name }) => name === 'kernel:ready') < starting, `${need}, ${id}`);
    }
  });

  test('refuses a second system in its home, and is untouched by it', async () => {
    // Kernels have processes of their own besides, which come and go.
    const hosts = () => system.pids().filter((pid) => /guardian|supervisor|grace-cell/.test(commandOf(pid)));
    const pids = hosts();
    assert.ok(pids.length >= 5, `a guardian, a supervisor and the cells: ${pids}`);
    const { journalSeq } = (await system.status()).system;
    const second = await system.grace('boot', '--detach');
    assert.equal(second.code, 1);
    assert.match(second.stderr, new RegExp(`HOME_TAKEN: .*pid ${system.pid}`));
    assert.deepEqual(hosts(), pids);
    const later = (await system.journal()).filter(
      ({ seq, name }) => seq > journalSeq && /^(kernel:state|cell|system:st)/.test(name),
    );
    assert.deepEqual(later, []);
  });

  test('leaves nothing behind when it stops', async () => {
    await system.stop();
  });
});

describe('booting', () => {
  test('--only boots a kernel and all it needs, and nothing else', async () => {
    const system = await bootSystem({ args: ['--only', 'librarian'] });
    try {
      assert.equal(system.booted.code, 0);
      const { kernels } = await system.status();
      assert.deepEqual(kernels.map(({ id }) => id).sort(), ['librarian', 'memory_fusion', 'message_bus']);
      assert.ok(kernels.every(({ state }) => state === 'running'));
    } finally {
      await system.stop();
    }
  });

  test('takes over the sockets and the lock of a system that was killed', async () => {
    const site = openSite();
    try {
      const killed = await bootSystem({ site, args: ['--only', 'scheduler'] });
      killed.client.close();
      for (const pid of site.pids()) process.kill(pid, 'SIGKILL');
      await poll('nothing runs', () => site.pids().length === 0);
      for (const file of [HOME.controlSocket, HOME.busSocket, HOME.lock])
        assert.ok(existsSync(join(site.home, file)), file);
      const next = await bootSystem({ site, args: ['--only', 'scheduler'] });
      assert.equal(next.booted.code, 0, next.booted.stderr);
      await next.stop();
    } finally {
      await site.close();
    }
  });

  test('takes over the lock of a supervisor that has ended and whose parent has not taken notice yet', async () => {
    const site = openSite();
    try {
      const foreground = site.start('boot', '--only', 'scheduler');
      await poll('it runs', () => foreground.output().includes('running in'));
      foreground.child.kill('SIGSTOP');
      for (const pid of site.pids()) if (pid !== foreground.child.pid) process.kill(pid, 'SIGKILL');
      await poll('only the frozen command line is left', () => site.pids().length === 1);
      const next = await bootSystem({ site, args: ['--only', 'scheduler'] });
      foreground.child.kill('SIGKILL');
      await foreground.ended;
      assert.equal(next.booted.code, 0, next.booted.stderr);
      await next.stop();
    } finally {
      await site.close({ mayLeave: true });
    }
  });

  test('twice at the same time in one home gives one system; the other says who was faster', async () => {
    const site = openSite();
    try {
      const both = await Promise.all([1, 2].map(() => site.grace('boot', '--detach', '--only', 'scheduler')));
      assert.deepEqual(both.map(({ code }) => code).sort(), [0, 1], JSON.stringify(both, null, 2));
      assert.match(both.find(({ code }) => code === 1)!.stderr, /HOME_TAKEN/);
      assert.equal((await site.grace('call', 'scheduler', 'jobs')).code, 0);
      await site.stop();
    } finally {
      await site.close({ mayLeave: true });
    }
  });

  test('takes over a lock whose pid belongs to another process by now, and one that is torn', async () => {
    const site = openSite();
    try {
      for (const lock of [JSON.stringify({ pid: process.pid, startTicks: '1' }), '{"pi']) {
        const system = await bootSystem({ site, args: ['--only', 'message_bus'] });
        assert.equal(system.booted.code, 0, system.booted.stderr);
        await system.stop();
        writeFileSync(join(site.home, HOME.lock), lock);
      }
      const system = await bootSystem({ site, args: ['--only', 'message_bus'] });
      assert.equal(system.booted.code, 0, system.booted.stderr);
      await system.stop();
    } finally {
      await site.close();
    }
  });

  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    test(`in the foreground prints plain lines where there is no terminal, and drains at ${signal}`, async () => {
      const site: Site = openSite();
      try {
        const boot = site.start('boot', '--only', 'scheduler');
        await poll('it runs', () => boot.output().includes('running in'));
        boot.child.kill(signal);
        const { code, stdout, stderr } = await boot.ended;
        assert.equal(code, 0, stderr);
        assert.doesNotMatch(stdout + stderr, /[\x1b\r]/);
        assert.match(stdout, /^ready +message_bus \(core, [\d.]+ m?s\)\nready +scheduler .*\n2 of 2 kernels ready in /);
        assert.match(stderr, new RegExp(`draining \\(${signal}\\)[^]*stopped`));
        await site.stop();
      } finally {
        await site.close();
      }
    });
  }
});
