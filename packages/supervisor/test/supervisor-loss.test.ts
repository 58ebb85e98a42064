import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type AnyRecord, type ClientMethods, HOME, type StatusDocument } from '@grace/contracts';
import { connectControl } from '@grace/control';
import { type Owner, ownerOf, readOwner } from '@grace/control/owner';
import { bootSystem, openSite, poll, type Site, type System } from '@grace/testkit';
import { misbehavingKernels } from './misbehaving.ts';

/** Asks whoever is the supervisor at this moment. */
async function ask<M extends keyof ClientMethods>(
  home: string,
  method: M,
  params: ClientMethods[M]['params'],
): Promise<ClientMethods[M]['result']> {
  const client = await connectControl(home, { role: 'client', name: 'test' });
  try {
    return await client.request(method, params, 20_000);
  } finally {
    client.close();
  }
}

const statusOf = (home: string): Promise<StatusDocument> => ask(home, 'status', {});

async function journalOf(home: string): Promise<AnyRecord[]> {
  return (await ask(home, 'journal.read', { after: 0, limit: 10_000 })).records;
}

const lives = (pid: number): boolean => ownerOf(pid) !== undefined;

/** Who supervises, and another one than `former`, with every kernel running. */
async function supervisedAgain(home: string, former: number, deadlineMs = 20_000): Promise<StatusDocument> {
  return await poll(
    'another supervisor has every kernel running',
    async () => {
      const status = await statusOf(home);
      return status.system.pid !== former && status.system.ready === status.system.total && status;
    },
    { deadlineMs },
  );
}

const lifeOf = (status: StatusDocument): string[] => [
  ...status.kernels.map(({ id, incarnation, tid }) => `${id}/${incarnation} tid ${tid}`),
  ...status.cells.map(({ id, incarnation, pid }) => `${id}/${incarnation} pid ${pid}`).sort(),
];

const guardianIn = (home: string): Owner => readOwner(join(home, HOME.guardian))!;

/** Kills the supervisor and keeps its guardian from noticing until the end of `work`. */
async function unsupervised(home: string, work: () => Promise<void>): Promise<number> {
  const { pid } = (await statusOf(home)).system;
  const guardian = guardianIn(home).pid;
  process.kill(guardian, 'SIGSTOP');
  try {
    process.kill(pid, 'SIGKILL');
    await poll('there is no supervisor', () => !lives(pid));
    await work();
  } finally {
    process.kill(guardian, 'SIGCONT');
  }
  return pid;
}

function assertGapless(records: readonly AnyRecord[]): void {
  assert.deepEqual(
    records.map(({ seq }) => seq),
    Array.from(records, (_, i) => i + 1),
  );
}

describe('a system whose supervisor is killed', () => {
  let system: System;
  let home: string;
  /** On the bus, which no supervisor is needed for. */
  let operator: Awaited<ReturnType<System['bus']>>;
  before(async () => {
    system = await bootSystem(misbehavingKernels({ first: {}, second: { cell: 'edge' } }));
    assert.equal(system.booted.code, 0, system.booted.stdout + system.booted.stderr);
    home = system.home;
    operator = await system.bus('cli');
  });
  after(() => system?.site.close({ mayLeave: true }));

  test('serves throughout, is adopted as it is, and loses no record that anybody saw', async () => {
    const before = await statusOf(home);
    const seen: AnyRecord[] = [];
    const follower = await connectControl(home, { role: 'client', name: 'follower' });
    follower.onNotice('journal', ({ records }) => void seen.push(...records));
    await follower.request('journal.follow', { after: 0 });

    const bus = await system.bus('workload');
    const heard = new Set<number>();
    await bus.subscribe('workload.numbers.*', (message) => void heard.add((message.payload as { n: number }).n));
    const failed: string[] = [];
    const failing = (error: Error): number => failed.push(error.message);
    const pending: Promise<unknown>[] = [];
    let n = 0;
    let answered = 0;
    const traffic = setInterval(() => {
      pending.push(bus.publish('workload.numbers.one', { n: n++ }).catch(failing));
      for (const id of ['first', 'second']) {
        const asked = operator.request(`kernel.${id}.call.count`, {}, { deadlineMs: 5000 });
        pending.push(asked.then(() => answered++, failing));
      }
    }, 5);
    try {
      await poll('there is traffic', () => heard.size > 20 && answered > 20);
      process.kill(before.system.pid, 'SIGKILL');
      const now = await supervisedAgain(home, before.system.pid);
      const [numbers, answers] = [n, answered];
      await poll('traffic goes on', () => heard.has(numbers + 20) && answered > answers + 20);
      assert.deepEqual(lifeOf(now), lifeOf(before));
      assert.equal(now.system.guardianPid, before.system.guardianPid);
      assert.equal(now.system.state, 'running');
    } finally {
      clearInterval(traffic);
      follower.close();
    }
    await Promise.all(pending);
    assert.deepEqual(failed, []);
    assert.equal(bus.counters().reconnects, 0);
    const last = n - 1;
    await poll('every numbered message is heard', () => heard.size === last + 1);

    const adopt = await poll('the adoption is written down', async () =>
      (await journalOf(home)).find(({ name }) => name === 'system:adopt'),
    );
    assert.ok(adopt.name === 'system:adopt');
    assert.equal(adopt.data.formerPid, before.system.pid);
    assert.deepEqual([...adopt.data.cells].sort(), before.cells.map(({ id }) => id).sort());
    assert.deepEqual([...adopt.data.kernels].sort(), ['first', 'message_bus', 'second']);
    const records = await journalOf(home);
    assertGapless(records);
    assert.ok(seen.length > 0);
    for (const record of seen) assert.deepEqual(records[record.seq - 1], record);
    const guard = records.find(({ name }) => name === 'system:guard');
    assert.deepEqual(guard?.data, { pid: before.system.guardianPid, restarts: 1, ended: 'SIGKILL' });
    // A machine that is full is an incident of its own.
    const harm = records.filter(({ name, data }) =>
      name === 'incident:open'
        ? (data as { incident: { subject: string } }).incident.subject !== 'machine'
        : name === 'kernel:restart' || name === 'cell:exit',
    );
    assert.deepEqual(harm, []);
  });

  test('is adopted again when the next supervisor is killed at once, and probes its kernels', async () => {
    const before = await statusOf(home);
    let { pid } = before.system;
    for (let kill = 0; kill < 3; kill++) {
      process.kill(pid, 'SIGKILL');
      const former = pid;
      // As soon as it holds the home, whatever it has done by then.
      pid = await poll('another one holds the home', () => {
        const owner = readOwner(join(home, HOME.lock));
        return owner && owner.pid !== former && owner.pid;
      });
    }
    const now = await supervisedAgain(home, before.system.pid);
    assert.deepEqual(lifeOf(now), lifeOf(before));
    await poll('every kernel has been probed by the new one', async () =>
      (await statusOf(home)).kernels.every(({ lastProbe }) => lastProbe?.ok),
    );
  });

  test('restarts a kernel that crashed meanwhile, with its own error, and it alone', async () => {
    const before = await statusOf(home);
    const former = await unsupervised(home, async () => {
      const first = before.kernels.find(({ id }) => id === 'first')!;
      await operator.request('kernel.first.call.crash', {}, { deadlineMs: 5000 });
      const { pid } = before.cells.find(({ id }) => id === first.cell)!;
      await poll('its thread has ended', () => !threadsOf(pid!).includes(first.tid!));
    });
    const now = await supervisedAgain(home, former);
    const lives = (status: StatusDocument) => status.kernels.map(({ id, incarnation }) => `${id} ${incarnation}`);
    const expected = before.kernels.map(({ id, incarnation }) => `${id} ${incarnation + (id === 'first' ? 1 : 0)}`);
    assert.deepEqual(lives(now), expected);
    const exit = (await journalOf(home)).findLast(({ name }) => name === 'kernel:exit');
    assert.ok(exit?.name === 'kernel:exit');
    assert.equal(exit.kernel, 'first');
    assert.match(exit.data.error?.message ?? '', /thrown on purpose/);
  });

  test('restarts the kernels of a cell that was killed meanwhile, and no others', async () => {
    const before = await statusOf(home);
    const former = await unsupervised(home, async () => {
      const { pid } = before.cells.find(({ id }) => id === 'edge')!;
      process.kill(pid!, 'SIGKILL');
      await poll('the cell has ended', () => !lives(pid!));
    });
    const now = await supervisedAgain(home, former);
    for (const { id, incarnation } of before.kernels) {
      const after = now.kernels.find((kernel) => kernel.id === id)!.incarnation;
      assert.equal(after, incarnation + (id === 'second' ? 1 : 0), id);
    }
    assert.notEqual(now.cells.find(({ id }) => id === 'edge')!.pid, before.cells.find(({ id }) => id === 'edge')!.pid);
  });

  test('notices the end of a cell it has adopted', async () => {
    const before = await statusOf(home);
    const core = before.cells.find(({ kernels }) => kernels.includes('first'))!;
    process.kill(core.pid!, 'SIGKILL');
    await poll('its kernels are back', async () => {
      const now = await statusOf(home);
      return now.kernels.every(({ id, state, incarnation }) => {
        const was = before.kernels.find((kernel) => kernel.id === id)!.incarnation;
        return state === 'running' && incarnation === was + (core.kernels.includes(id) ? 1 : 0);
      });
    });
  });

  test('replaces a killed guardian, and the new one brings back the supervisor', async () => {
    const before = await statusOf(home);
    process.kill(before.system.guardianPid!, 'SIGKILL');
    const guardian = await poll('there is another guardian', async () => {
      const { guardianPid } = (await statusOf(home)).system;
      return guardianPid !== before.system.guardianPid && guardianIn(home)?.pid === guardianPid && guardianPid;
    });
    assert.equal((await statusOf(home)).system.pid, before.system.pid);
    process.kill(before.system.pid, 'SIGKILL');
    const now = await supervisedAgain(home, before.system.pid);
    assert.equal(now.system.guardianPid, guardian);
    assert.deepEqual(lifeOf(now), lifeOf(before));
  });

  test('keeps what was ordered by hand: a paused kernel stays down', async () => {
    await ask(home, 'pause', { kernel: 'second', by: 'test' });
    await poll('it is down', async () => (await kernelIn(home, 'second')).state === 'stopped');
    const { pid } = (await statusOf(home)).system;
    process.kill(pid, 'SIGKILL');
    await poll('the others are adopted', async () => {
      const { system: now, kernels } = await statusOf(home);
      return now.pid !== pid && kernels.filter(({ lastProbe }) => lastProbe?.ok).length === 2;
    });
    assert.equal((await kernelIn(home, 'second')).state, 'stopped');
    await ask(home, 'resume', { kernel: 'second', by: 'test' });
    await poll('it runs', async () => (await kernelIn(home, 'second')).state === 'running');
  });

  test('answers a command that comes while the supervisor is away', async () => {
    const { pid } = (await statusOf(home)).system;
    process.kill(pid, 'SIGKILL');
    const { code, stdout, stderr } = await system.grace('status', '--json');
    assert.equal(code, 0, stderr);
    assert.equal((JSON.parse(stdout) as StatusDocument).system.total, 3);
  });

  test('has an unbroken journal at the end, and leaves nothing behind when it stops', async () => {
    assertGapless(await journalOf(home));
    const verified = await system.grace('log', 'verify');
    assert.equal(verified.code, 0, verified.stdout + verified.stderr);
    await system.stop();
  });
});

async function kernelIn(home: string, id: string) {
  return (await statusOf(home)).kernels.find((kernel) => kernel.id === id)!;
}

function threadsOf(pid: number): number[] {
  return readdirSync(`/proc/${pid}/task`).map(Number);
}

/** Both at once: nobody is left to bring anybody back. */
async function killBoth(site: Site): Promise<StatusDocument> {
  const status = await statusOf(site.home);
  // Between two signals the one that is left may start the other again: this one can start nothing.
  process.kill(status.system.pid, 'SIGSTOP');
  process.kill(status.system.guardianPid!, 'SIGKILL');
  process.kill(status.system.pid, 'SIGKILL');
  await poll('supervisor and guardian are gone', () => !lives(status.system.pid) && !lives(status.system.guardianPid!));
  return status;
}

describe('a system that loses supervisor and guardian in one moment', () => {
  const only = ['--only', 'memory_fusion,scheduler'];
  const boot = (site: Site, ...args: string[]) => site.grace('boot', '--detach', ...only, ...args);
  const sites: Site[] = [];
  const open = (config: object = {}): Site => {
    const site = openSite({ config });
    sites.push(site);
    return site;
  };
  after(async () => {
    for (const site of sites) await site.close({ mayLeave: true });
  });

  test('drains and ends by itself; the next system of the home has its state and an unbroken journal', async () => {
    const site = open({ settings: { orphan: '1s' } });
    await boot(site);
    await ask(site.home, 'call', {
      kernel: 'memory_fusion',
      verb: 'remember',
      input: { text: 'the ferry leaves at noon' },
      from: 'test',
    });
    const before = await journalOf(site.home);
    await killBoth(site);
    await poll('every cell has ended', () => site.pids().length === 0, { deadlineMs: 30_000 });

    const next = await boot(site);
    assert.equal(next.code, 0, next.stdout + next.stderr);
    const input = { query: 'ferry noon' };
    const found = await ask(site.home, 'call', { kernel: 'memory_fusion', verb: 'recall', input, from: 'test' });
    assert.equal((found as { text: string }[])[0]?.text, 'the ferry leaves at noon');
    const records = await journalOf(site.home);
    assertGapless(records);
    assert.deepEqual(records.slice(0, before.length), before);
    assert.equal(records.filter(({ name }) => name === 'system:boot').length, 2);
    await site.stop();
  });

  test('is adopted by the next boot of the same plan', async () => {
    const site = open();
    await boot(site);
    const before = await killBoth(site);
    const next = await boot(site);
    assert.equal(next.code, 0, next.stdout + next.stderr);
    assert.deepEqual(lifeOf(await supervisedAgain(site.home, before.system.pid)), lifeOf(before));
    await site.stop();
  });

  test('ends before the next boot of another plan begins, which has every kernel once', async () => {
    const site = open();
    await boot(site);
    const before = await killBoth(site);
    const next = await boot(site, '--armed');
    assert.equal(next.code, 0, next.stdout + next.stderr);
    const now = await statusOf(site.home);
    assert.equal(now.system.armed, true);
    assert.deepEqual(
      before.cells.filter(({ pid }) => lives(pid!)),
      [],
    );
    const own = [now.system.pid, now.system.guardianPid!, ...now.cells.map(({ pid }) => pid!)].sort((a, b) => a - b);
    assert.deepEqual(site.pids(), own);
    await site.stop();
  });

  test('is taken over by one of two boots that come at once, and the other says who runs', async () => {
    const site = open();
    await boot(site);
    const before = await killBoth(site);
    const boots = await Promise.all([boot(site), boot(site)]);
    const words = boots.map(({ stdout, stderr }) => stdout + stderr);
    assert.deepEqual(boots.map(({ code }) => code).sort(), [0, 1], words.join('\n'));
    assert.match(words[boots.findIndex(({ code }) => code === 1)]!, /HOME_TAKEN/);
    assert.deepEqual(lifeOf(await supervisedAgain(site.home, before.system.pid)), lifeOf(before));
    const supervisors = site.pids().filter((pid) => /supervisor\.cjs\0/.test(commandLine(pid)));
    assert.equal(supervisors.filter((pid) => !/guardian\.cjs\0/.test(commandLine(pid))).length, 1);
    await site.stop();
  });
});

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return '';
  }
}
