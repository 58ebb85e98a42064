import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { StatusDocument } from '@grace/contracts';
import { openSite, poll, type Site, type SiteOptions } from '@grace/testkit';
import { misbehavingKernels } from './misbehaving.ts';
import { type NotifySocket, noServiceManager, openNotifySocket } from './notify-socket.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const CLI = join(process.env['GRACE_DIST'] ?? join(ROOT, 'dist'), 'cli.js');
const WATCHDOG_MS = 2000;

interface Service {
  readonly site: Site;
  readonly main: ChildProcess;
  /** Resolves with the exit code of the main process. */
  readonly ended: Promise<number | null>;
  output(): string;
}

/** `grace boot` as systemd would start it: the main process of a unit, with the manager's variables. */
function startService(options: SiteOptions & { args: string[] }, env: NodeJS.ProcessEnv): Service {
  const site = openSite(options);
  const main = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', CLI, '--home', site.home, 'boot', ...options.args],
    {
      cwd: site.dir,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env['PATH'],
        TMPDIR: join(site.dir, 'tmp'),
        HOME: site.dir,
        GRACE_TEST_SITE: site.dir,
        ...env,
      },
    },
  );
  let output = '';
  const take = (chunk: Buffer): void => {
    output += chunk;
  };
  main.stdout.on('data', take);
  main.stderr.on('data', take);
  const ended = new Promise<number | null>((resolve) => main.once('close', resolve));
  return { site, main, ended, output: () => output };
}

async function status(site: Site): Promise<StatusDocument> {
  const { code, stdout, stderr } = await site.grace('status', '--json');
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout) as StatusDocument;
}

/** Not ready before the file `go` is there. */
const WAITER = `
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
export default {
  id: 'waiter',
  async start() {
    while (!existsSync(new URL('go', import.meta.url))) await sleep(20);
    return { verbs: {}, probe: () => ({}) };
  },
};`;

describe('a system as a service', { skip: noServiceManager }, () => {
  let socket: NotifySocket;
  let service: Service | undefined;
  beforeEach(async () => {
    socket = await openNotifySocket();
  });
  afterEach(async () => {
    await service?.site.close({ mayLeave: true });
    service = undefined;
    await socket.close();
  });
  const start = (options: SiteOptions & { args: string[] }, env: NodeJS.ProcessEnv = {}): Service => {
    service = startService(options, { NOTIFY_SOCKET: socket.address, ...env });
    return service;
  };
  const told = (name: string): string[] => socket.messages.flatMap(({ values }) => values[name] ?? []);
  const withWatchdog = { WATCHDOG_USEC: String(WATCHDOG_MS * 1000), WATCHDOG_PID: '1' };

  test('is ready when its kernels are, not before; stops when its main process is told to, and says so', async () => {
    const { site, main, ended, output } = start({
      config: { kernels: { waiter: { module: './waiter.mjs', start_deadline: '60s' } } },
      files: { 'waiter.mjs': WAITER },
      args: ['--only', 'message_bus,waiter'],
    });
    await poll('the manager hears of the boot', () => told('STATUS').includes('booting, 1 of 2 kernels ready'), {
      deadlineMs: 60_000,
    });
    await poll('it needs more time', () => told('EXTEND_TIMEOUT_USEC').length >= 1);
    assert.deepEqual(told('READY'), [], 'one kernel is not ready');
    site.write('go', '');
    await poll('the service is ready', () => told('READY').length === 1);
    const ready = socket.messages.find(({ values }) => 'READY' in values)!;
    assert.equal(ready.values['STATUS'], '2 of 2 kernels ready');
    assert.deepEqual(told('WATCHDOG'), [], 'the manager has no watchdog');

    main.kill('SIGTERM');
    await poll('it stops', () => told('STOPPING').length === 1);
    assert.equal(await ended, 0, output());
    assert.deepEqual(told('READY'), ['1']);
    await site.stop();
  });

  test('feeds the watchdog by the pulse of its supervisor: one that is stopped feeds it no more', async () => {
    const { site } = start({ args: ['--only', 'message_bus'] }, withWatchdog);
    await poll('the watchdog is fed', () => told('READY').length === 1 && told('WATCHDOG').length >= 3, {
      deadlineMs: 60_000,
    });
    const { system, cells } = await status(site);
    process.kill(system.pid, 'SIGSTOP');
    try {
      await poll(
        'the watchdog would bite',
        () => {
          const last = socket.messages.findLast(({ values }) => 'WATCHDOG' in values)!;
          return performance.now() - last.atMs > WATCHDOG_MS;
        },
        { deadlineMs: 30_000 },
      );
    } finally {
      process.kill(system.pid, 'SIGCONT');
    }
    const before = told('WATCHDOG').length;
    await poll('it is fed again', () => told('WATCHDOG').length > before);
    assert.ok(cells.length > 0);
    for (const { id, pid } of cells) {
      const env = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
      assert.deepEqual(
        env.filter((entry) => /^(NOTIFY_SOCKET|WATCHDOG_)/.test(entry)),
        [],
        `cell ${id} does not speak for the service`,
      );
    }
  });

  test('whose supervisor is lost goes on: the one that is brought back feeds the watchdog', async () => {
    const { site, main } = start({ args: ['--only', 'message_bus'] }, withWatchdog);
    await poll('the service is ready', () => told('READY').length === 1, { deadlineMs: 60_000 });
    const { system } = await status(site);
    process.kill(system.pid, 'SIGKILL');
    const lostAt = performance.now();
    await poll('it is fed again', () =>
      socket.messages.some(({ atMs, values }) => 'WATCHDOG' in values && atMs > lostAt + WATCHDOG_MS),
    );
    const after = await status(site);
    assert.notEqual(after.system.pid, system.pid);
    assert.equal(after.system.state, 'running');
    assert.equal(main.exitCode, null, 'the main process of the unit lives');
    assert.ok(told('STOPPING').length === 0);
  });

  test('that lost a kernel for good goes on, and its status names the kernel', async () => {
    const { args, ...options } = misbehavingKernels({ victim: { restart: { budget: 0 } } });
    const { site } = start({ ...options, args });
    await poll('the service is ready', () => told('STATUS').includes('2 of 2 kernels ready'), { deadlineMs: 60_000 });
    await site.grace('call', 'victim', 'crash');
    await poll('the status tells', () => told('STATUS').includes('1 of 2 kernels ready; victim is quarantined'));
    assert.deepEqual(told('READY'), ['1']);
  });

  test('whose manager takes messages and does not go on boots and serves all the same', async () => {
    const slow = await openNotifySocket({ holdBarriers: true });
    try {
      const { site } = start({ args: ['--only', 'message_bus'] }, { NOTIFY_SOCKET: slow.address, ...withWatchdog });
      await poll('it is ready', () => slow.messages.some(({ values }) => 'READY' in values), { deadlineMs: 60_000 });
      assert.equal((await status(site)).system.state, 'running');
      await poll('the failure is noted', () => supervisorLog(site).includes('did not end within'));
      assert.equal(supervisorLog(site).split('"grace":"systemd"').length, 2, 'once');
    } finally {
      await slow.close();
    }
  });
});

describe('a system whose host has no systemd-notify', () => {
  test('boots and serves; why the manager hears nothing stands in the log, once', async () => {
    const { site, main, ended, output } = startService(
      { args: ['--only', 'message_bus'] },
      { NOTIFY_SOCKET: '/run/systemd/notify', PATH: '/nonexistent' },
    );
    try {
      await poll('it runs', () => /1 of 1 kernels ready/.test(output()), { deadlineMs: 60_000 });
      await poll('the failure is noted', () => supervisorLog(site).includes('systemd-notify'));
      main.kill('SIGTERM');
      assert.equal(await ended, 0, output());
      assert.equal(supervisorLog(site).split('"grace":"systemd"').length, 2, 'once');
    } finally {
      await site.close({ mayLeave: true });
    }
  });
});

const UNIT = join(ROOT, 'deploy/grace.service');
const noAnalyze = spawnSync('systemd-analyze', ['--version']).status === 0 ? false : 'systemd-analyze is not installed';

test('the unit file holds nothing that systemd does not know', { skip: noAnalyze }, () => {
  const {
    status: code,
    stdout,
    stderr,
  } = spawnSync('systemd-analyze', ['verify', UNIT], { encoding: 'utf8', timeout: 60_000 });
  assert.deepEqual([code, stdout, stderr], [0, '', '']);
});

function supervisorLog(site: Site): string {
  const file = join(site.home, 'logs/supervisor.log');
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}
