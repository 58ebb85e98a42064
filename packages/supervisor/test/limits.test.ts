import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { connectControl } from '@grace/control';
import { bootSystem, openSite, poll, type System } from '@grace/testkit';
import { ownGroups } from '../src/machine/control-groups/own-groups.ts';
import { probeLimits } from '../src/machine/control-groups/probe.ts';
import { groupName } from '../src/machine/control-groups/sweep.ts';
import { openSystemGroups } from '../src/machine/control-groups/system-groups.ts';
import { misbehavingKernels } from './misbehaving.ts';

/** Of `nobody` on Linux. */
const NOBODY = { uid: 65_534, gid: 65_534 };
/** Nothing is restarted for its lateness here: only the limit is looked at. */
const left = { late_after: '1h', hung_after: '2h', probe: { interval: '1h' } };

const ground = await probeLimits();
const bases = [...new Set([ground.cpu?.base, ground.memory?.base])].filter((base) => base !== undefined);
/** Everything that is left of a home's control groups. */
function groupsOf(home: string): string[] {
  const below = (path: string): string[] =>
    existsSync(path)
      ? [
          path,
          ...readdirSync(path, { withFileTypes: true })
            .filter((entry) => entry.isDirectory())
            .flatMap(({ name }) => below(join(path, name))),
        ]
      : [];
  return bases.flatMap((base) => below(join(base, groupName(home))));
}

/** Share of one core that a kernel's thread got while `ms` went by, read from outside. */
async function share(system: System, id: string, ms: number): Promise<number> {
  const { tid, cell } = await system.kernel(id);
  const file = `/proc/${await system.cellPid(cell)}/task/${tid}/schedstat`;
  const cpuMs = (): number => Number(readFileSync(file, 'latin1').split(' ')[0]) / 1e6;
  const from = { at: performance.now(), cpuMs: cpuMs() };
  await poll('time goes by', () => performance.now() - from.at >= ms);
  return (cpuMs() - from.cpuMs) / (performance.now() - from.at);
}

/** Never more than `most`; and `least` as soon as the machine has it to give: others may keep it busy. */
async function getsShare(system: System, id: string, least: number, most: number): Promise<void> {
  const seen: number[] = [];
  for (const until = performance.now() + 30_000; performance.now() < until; ) {
    seen.push(await share(system, id, 1200));
    assert.ok(seen.at(-1)! < most, `20 % asked, ${seen.at(-1)! * 100} % got`);
    if (seen.at(-1)! > least) return;
  }
  assert.fail(`20 % asked, never got: ${seen.map((one) => (one * 100).toFixed(1))} %`);
}

const spinning = misbehavingKernels({ victim: { ...left, limits: { cpu: '20%' } }, mate: left });

describe('a CPU limit in the manifest', () => {
  test('holds a spinning kernel from its start, lets its cell-mate answer, and leaves no control group', async () => {
    const system = await bootSystem(spinning);
    try {
      assert.equal(system.booted.code, 0, system.booted.stdout + system.booted.stderr);
      const status = await system.status();
      assert.equal(status.system.enforcement.cpu, ground.method);
      const [boot] = await system.journal('system:boot');
      assert.deepEqual(boot!.data.enforcement, status.system.enforcement);
      await system.call('victim', 'spin');
      if (ground.cpu) await getsShare(system, 'victim', 0.12, 0.3);
      else await getsShare(system, 'victim', 0.08, 0.4);
      await system.call('mate', 'count');
      if (ground.cpu)
        assert.ok(
          groupsOf(system.home).some((path) => /\/victim\.\d+$/.test(path)),
          'it has a group of its own',
        );
      assert.equal((await system.kernel('victim')).limits.cpu, 0.2);
    } finally {
      await system.stop();
    }
    assert.deepEqual(groupsOf(system.home), []);
  });

  test('is kept without any privilege', async (t) => {
    if (process.getuid?.() !== 0) return t.skip('only root can become another user');
    let system: System;
    try {
      system = await bootSystem({ ...spinning, user: NOBODY });
    } catch (error) {
      if (!/EACCES|permission denied/i.test(String(error))) throw error;
      t.skip(`another user cannot read this repository: ${(error as Error).message.split('\n')[0]}`);
      return;
    }
    try {
      const { enforcement } = (await system.status()).system;
      assert.equal(enforcement.cpu, 'inspector');
      assert.match(enforcement.memory, /hard limit: none above the watch/);
      await system.call('victim', 'spin');
      await getsShare(system, 'victim', 0.08, 0.4);
    } finally {
      await system.stop();
    }
  });
});

describe('a CPU limit by hand', () => {
  test('holds a kernel that has none, and is lifted again', async () => {
    const system = await bootSystem(spinning);
    const throttle = (cpu: number | null) =>
      system.client.request('throttle', { kernel: 'mate', by: 'test', cpu, forMs: null });
    try {
      assert.deepEqual(await throttle(0.2), { kernel: 'mate', cpu: 0.2, method: ground.method });
      await system.call('mate', 'spin');
      await getsShare(system, 'mate', 0.08, 0.4);
      await poll('its status says so', async () => (await system.kernel('mate')).cap === 0.2);
      await throttle(0.05);
      assert.deepEqual(await throttle(null), { kernel: 'mate', cpu: null, method: ground.method });
      await poll('it gets more than it was held to', async () => (await share(system, 'mate', 300)) > 0.12);
      await poll('its status says so', async () => (await system.kernel('mate')).cap === null);
    } finally {
      await system.stop();
    }
    assert.deepEqual(groupsOf(system.home), []);
  });
});

describe('control groups', { skip: ground.cpu ? false : 'none can be written here' }, () => {
  test('of a system that was killed are removed by the next one of the home', async () => {
    const site = openSite(spinning);
    try {
      const system = await bootSystem({ site, args: spinning.args });
      await system.call('victim', 'spin');
      system.client.close();
      const pids = site.pids();
      for (const pid of pids) process.kill(pid, 'SIGKILL');
      await poll('every process is gone', () => site.pids().length === 0);

      const next = await bootSystem({ site, args: spinning.args });
      assert.equal(next.booted.code, 0, next.booted.stdout + next.booted.stderr);
      const owners = groupsOf(site.home).filter((path) => /\/owner\.\d+\.\d+$/.test(path));
      assert.deepEqual(
        owners.map((path) => Number(/\.(\d+)\.\d+$/.exec(path)![1])),
        bases.map(() => next.pid),
      );
      await next.stop();
      assert.deepEqual(groupsOf(site.home), []);
    } finally {
      await site.close({ mayLeave: true });
    }
  });

  test('stay with the cells that a later supervisor takes over', async () => {
    const system = await bootSystem(spinning);
    try {
      const held = await system.kernel('victim');
      const groups = groupsOf(system.home).filter((path) => !path.includes('/owner.'));
      assert.ok(groups.some((path) => path.endsWith(`/victim.${held.incarnation}`)));
      system.client.close();
      process.kill(system.pid, 'SIGKILL');
      const client = await poll('another supervisor is there', async () => {
        const next = await connectControl(system.home, { role: 'client', name: 'test' });
        const { system: facts, kernels } = await next.request('status', {});
        if (facts.pid !== system.pid && facts.ready === facts.total) return { next, kernels };
        next.close();
        return undefined;
      });
      client.next.close();
      assert.equal(client.kernels.find(({ id }) => id === 'victim')?.tid, held.tid, 'it is the same thread');
      assert.deepEqual(
        groupsOf(system.home).filter((path) => !path.includes('/owner.')),
        groups,
      );
      const tasks = groups.find((path) => path.endsWith(`/victim.${held.incarnation}`))!;
      const list = ground.cpu!.method === 'cgroup1' ? 'tasks' : 'cgroup.threads';
      assert.ok(readFileSync(join(tasks, list), 'latin1').split('\n').includes(String(held.tid)));
    } finally {
      await system.stop();
    }
    assert.deepEqual(groupsOf(system.home), []);
  });

  test('of a system whose supervisor never comes back end with its cells', async () => {
    const site = openSite({ ...spinning, config: { ...spinning.config, settings: { orphan: '1s' } } });
    try {
      const system = await bootSystem({ site, args: spinning.args });
      const { guardianPid } = (await system.status()).system;
      system.client.close();
      for (const pid of [guardianPid, system.pid]) if (pid) process.kill(pid, 'SIGKILL');
      await poll('every process is gone', () => site.pids().length === 0, { deadlineMs: 30_000 });
      assert.deepEqual(groupsOf(site.home), []);
    } finally {
      await site.close({ mayLeave: true });
    }
  });
});

describe('the hard memory limit of a host process', { skip: ground.memory ? false : ground.refused.memory }, () => {
  test('is set for every cell, above the watch', async () => {
    const system = await bootSystem({
      ...spinning,
      config: { ...spinning.config, settings: { cell_memory: '512MiB' } },
    });
    try {
      const { cells, system: facts } = await system.status();
      assert.match(facts.enforcement.memory, /hard limit: control group v\d at 640 MiB$/);
      for (const { id, pid } of cells) {
        const group = groupsOf(system.home).find(
          (path) => path.startsWith(ground.memory!.base) && path.endsWith(`/${id}`),
        )!;
        const file = ground.memory!.version === 1 ? 'memory.limit_in_bytes' : 'memory.max';
        assert.equal(Number(readFileSync(join(group, file), 'latin1')), 640 * 1024 ** 2);
        assert.ok(readFileSync(join(group, 'cgroup.procs'), 'latin1').split('\n').includes(String(pid)));
      }
    } finally {
      await system.stop();
    }
  });

  test('ends a process that goes beyond it', async () => {
    const groups = await openSystemGroups(`/no/home/${process.pid}`, ground, 64 * 1024 ** 2);
    // It takes 400 MB at most.
    const child = spawn(process.execPath, [
      '-e',
      "process.stdin.once('data', () => { const all = []; for (let i = 0; i < 40; i++) all.push(Buffer.alloc(1e7, i)); process.exit(0); });",
    ]);
    try {
      await groups.openCell('work', child.pid!);
      child.stdin.write('go');
      const [, signal] = await once(child, 'exit', { signal: AbortSignal.timeout(30_000) });
      assert.equal(signal, 'SIGKILL');
    } finally {
      child.kill('SIGKILL');
      assert.deepEqual(await groups.remove(5000), []);
    }
  });
});

test('this process is where it was before', () => {
  const { cpu, unified } = ownGroups();
  for (const group of [cpu, unified]) assert.ok(!group?.includes('grace-'));
});
