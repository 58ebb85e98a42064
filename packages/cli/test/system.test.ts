import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import type { StatusDocument } from '@grace/contracts';
import { poll } from '@grace/testkit';
import { leftoverFiles } from '../src/stress/leftovers.ts';
import { Bench, root } from './command.ts';

const greeter = ['--config', join(root, 'examples/greeter/grace.yaml')];

describe('a whole system', () => {
  let bench: Bench;
  before(async () => {
    bench = new Bench();
    const boot = await bench.json<{ ready: number; total: number; failed: unknown[] }>('boot', '--detach', ...greeter);
    assert.deepEqual([boot.failed, boot.ready], [[], boot.total]);
  });
  after(() => bench.clear());

  test('is told by status, with every kernel running in a cell that lives', async () => {
    const status = await bench.json<StatusDocument>('status');
    assert.equal(status.system.home, bench.home);
    assert.equal(status.system.ready, status.system.total);
    for (const kernel of status.kernels) {
      assert.equal(kernel.state, 'running', kernel.id);
      assert.ok(
        status.cells.some(({ id, pid, kernels }) => id === kernel.cell && pid !== null && kernels.includes(kernel.id)),
      );
    }
    const { stdout, code } = await bench.run('status', '--ascii');
    assert.equal(code, 0);
    assert.match(stdout, /^[\0-\x7f]*$/);
    for (const { id } of status.kernels) assert.match(stdout, new RegExp(`^${id} +running`, 'm'));
  });

  test('refuses a second one in its home, which goes on', async () => {
    const second = await bench.run('boot', '--detach');
    assert.equal(second.code, 1);
    assert.match(second.stderr, /HOME_TAKEN: .*pid \d+/);
    assert.equal((await bench.run('status')).code, 0);
  });

  test("answers verbs, and a mistake names the kernel's verbs or the nearest kernel", async () => {
    assert.deepEqual(await bench.json('call', 'greeter', 'greet', '{"name":"Ada"}'), { text: 'Hello, Ada!', count: 1 });
    assert.ok((await bench.json<string[]>('call', 'librarian')).includes('search'));
    const verb = await bench.run('call', 'greeter', 'gret');
    assert.equal(verb.code, 1);
    assert.match(verb.stderr, /UNKNOWN_VERB: .*did you mean "greet"/);
    const kernel = await bench.run('call', 'greter', 'greet');
    assert.match(kernel.stderr, /UNKNOWN_KERNEL: .*did you mean "greeter"/);
    const input = await bench.run('call', 'greeter', 'greet', '{}');
    assert.equal(input.code, 1);
    assert.match(input.stderr, /BAD_INPUT: input\.name/);
  });

  test('is heard and spoken to on the bus', async () => {
    const tap = bench.start('tap', 'kernel.greeter.event.greeted', '--count', '1', '--json');
    await poll('the tap is on', () => tap.output().includes('tapping'));
    assert.equal((await bench.run('publish', 'kernel.greeter.please', '{"name":"Grace"}')).code, 0);
    const { code, stdout } = await tap.ended;
    assert.equal(code, 0);
    const message = JSON.parse(stdout.trim().split('\n')[0]!);
    assert.equal(message.from, 'greeter');
    assert.equal(message.payload.text, 'Hello, Grace!');
  });

  test('denies on the bus what the access rules do not allow', async () => {
    const denied = await bench.run('publish', 'system.events.kernel.ready', '{}');
    assert.equal(denied.code, 1);
    assert.match(denied.stderr, /BUS_DENIED/);
    const stranger = await bench.run('publish', 'a.b', '1', '--as', 'librarian');
    assert.match(stranger.stderr, /FORBIDDEN/);
  });

  test("restarts and isolates a kernel by hand, and the kernel's state stays", async () => {
    const { greeted } = await bench.json<{ greeted: number }>('call', 'greeter', 'status');
    const before = await bench.json<StatusDocument>('status');
    const restarted = await bench.json<{ incarnation: number }>('restart', 'greeter');
    assert.equal(restarted.incarnation, before.kernels.find(({ id }) => id === 'greeter')!.incarnation + 1);
    const isolated = await bench.json<{ cell: string }>('isolate', 'greeter');
    assert.notEqual(isolated.cell, 'user');
    const now = await bench.json<{ greeted: number }>('call', 'greeter', 'status');
    assert.equal(now.greeted, greeted);
  });

  test('brings a killed cell back, and the state of its kernels', async () => {
    const cellOf = (status: StatusDocument) => {
      const kernel = status.kernels.find(({ id }) => id === 'greeter')!;
      return { kernel, pid: status.cells.find(({ id }) => id === kernel.cell)?.pid };
    };
    const { greeted } = await bench.json<{ greeted: number }>('call', 'greeter', 'status');
    const { pid, kernel } = cellOf(await bench.json<StatusDocument>('status'));
    process.kill(pid!, 'SIGKILL');
    await poll('the greeter runs again', async () => {
      const next = cellOf(await bench.json<StatusDocument>('status')).kernel;
      return next.state === 'running' && next.incarnation > kernel.incarnation;
    });
    assert.equal((await bench.json<{ greeted: number }>('call', 'greeter', 'status')).greeted, greeted);
    const incidents = await bench.json<{ id: string; subject: string }[]>('incidents');
    assert.ok(incidents.length > 0);
    const { stdout } = await bench.run('incidents', incidents[0]!.id);
    assert.match(stdout, /^records +#\d+/m);
  });

  test('keeps logs that can be read by kernel', async () => {
    const { stdout, code } = await bench.run('logs', 'greeter', '--json');
    assert.equal(code, 0);
    const records = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.ok(records.some(({ msg }) => msg === 'Hello, Ada!'));
    assert.ok(records.every(({ kernel }) => kernel === 'greeter'));
    const { code: unknown, stderr } = await bench.run('logs', 'greter');
    assert.equal(unknown, 1);
    assert.match(stderr, /did you mean "greeter"/);
  });

  test('stops, and leaves no process and no socket; its records are whole', async () => {
    const { stopped, killed } = await bench.json<{ stopped: boolean; killed: number[] }>('stop');
    assert.deepEqual([stopped, killed], [true, []]);
    assert.deepEqual(bench.processes(), []);
    assert.deepEqual(leftoverFiles(bench.home), []);
    const verified = await bench.json<{ ok: boolean; ledgers: { id: string; records: number }[] }>('log', 'verify');
    assert.equal(verified.ok, true);
    assert.deepEqual(
      verified.ledgers.map(({ id }) => id),
      ['journal', 'immutable_log'],
    );
    assert.ok(verified.ledgers[0]!.records > 20);
    assert.equal((await bench.run('stop')).code, 1);
  });

  test('has its tampered record found', async () => {
    const folder = join(bench.home, 'journal');
    const segment = join(folder, readdirSync(folder).find((name) => name.endsWith('.segment'))!);
    const bytes = readFileSync(segment);
    const middle = bytes.length >> 1;
    bytes[middle] = bytes[middle]! ^ 0xff;
    writeFileSync(segment, bytes);
    const { code, stdout } = await bench.run('log', 'verify');
    assert.equal(code, 1);
    assert.match(stdout, /journal: 1 problem, /);
    assert.match(stdout, /checksum at \d+\.segment:\d+, record \d+: /);
  });

  test('has it sealed on order only, and goes on in a new epoch', async () => {
    const planned = await bench.run('log', 'repair', 'journal');
    assert.equal(planned.code, 1);
    assert.match(planned.stdout, /epoch 1 would be sealed/);
    assert.equal((await bench.run('log', 'verify')).code, 1);
    const done = await bench.run('log', 'repair', 'journal', '--yes', '--reason', 'a flipped byte');
    assert.equal(done.code, 0, done.stderr);
    assert.match(done.stdout, /epoch 1 was sealed; epoch 2 begins with record \d+/);
    const verified = await bench.run('log', 'verify');
    assert.equal(verified.code, 0, verified.stdout);
    assert.match(
      verified.stdout,
      /epoch 1 was sealed at .* by grace log repair: \d+ records readable, 1 lost, 0 disputed/,
    );
    assert.equal((await bench.run('log', 'repair', '--yes')).code, 0);
    const { code, stderr } = await bench.run('log', 'repair', 'jurnal');
    assert.equal(code, 1);
    assert.match(stderr, /did you mean "journal"/);
  });
});

describe('booting', () => {
  let bench: Bench;
  beforeEach(() => {
    bench = new Bench();
  });
  afterEach(() => bench.clear());

  test('stays in the foreground with plain lines when piped, and drains at the first SIGINT', async () => {
    const boot = bench.start('boot', '--only', 'scheduler');
    await poll('it runs', () => /2 of 2 kernels ready/.test(boot.output()));
    assert.match(boot.output(), /^ready +message_bus \(core, \d/m);
    boot.child.kill('SIGINT');
    const { code, stderr } = await boot.ended;
    assert.equal(code, 0, stderr);
    assert.match(stderr, /stopped/);
    assert.deepEqual(bench.processes(), []);
  });

  test('ends everything at once at the second SIGINT', async () => {
    writeFileSync(
      join(bench.cwd, 'slow.mjs'),
      "export default { id: 'slow', start: () => ({ verbs: {}, probe: () => ({}), drain: () => new Promise(() => setInterval(() => {}, 1000)) }) };",
    );
    writeFileSync(join(bench.cwd, 'grace.yaml'), 'kernels: { slow: { module: ./slow.mjs, drain_deadline: 60s } }');
    const boot = bench.start('boot', '--only', 'slow');
    await poll('it runs', () => /1 of 1 kernels ready/.test(boot.output()));
    boot.child.kill('SIGINT');
    await poll('it drains', () => boot.output().includes('draining'));
    boot.child.kill('SIGINT');
    assert.equal((await boot.ended).code, 130);
    await poll('nothing is left', () => bench.processes().length === 0);
  });

  test('goes on without kernels that cannot start, says why for each, and exits with 1', async () => {
    const kernel = (id: string, start: string): void =>
      writeFileSync(join(bench.cwd, `${id}.mjs`), `export default { id: '${id}', start() { ${start} } };`);
    kernel('thrower', "throw new Error('I will not')");
    kernel('sulker', "return { verbs: {}, probe() { throw new Error('not today'); } }");
    writeFileSync(join(bench.cwd, 'wrong.mjs'), 'export default 7;');
    writeFileSync(
      join(bench.cwd, 'grace.yaml'),
      `kernels:
  thrower: { module: ./thrower.mjs, restart: { budget: 0 } }
  sulker: { module: ./sulker.mjs, start_deadline: 1s, restart: { budget: 0 } }
  absent: { module: ./absent.mjs, restart: { budget: 0 } }
  wrong: { module: ./wrong.mjs, restart: { budget: 0 } }
`,
    );
    const { code, stdout } = await bench.run('boot', '--detach', '--only', 'scheduler,thrower,sulker,absent,wrong');
    assert.equal(code, 1, stdout);
    assert.match(stdout, /2 of 6 kernels ready/);
    assert.match(stdout, /not ready thrower: KERNEL_START: .*I will not/);
    assert.match(stdout, /not ready sulker: KERNEL_NEVER_READY/);
    assert.match(stdout, /not ready absent: KERNEL_MISSING/);
    assert.match(stdout, /not ready wrong: KERNEL_INVALID/);
    assert.equal((await bench.run('call', 'scheduler', 'status')).code, 0);
    assert.equal((await bench.run('stop')).code, 0);
  });

  test('takes over a home whose system was killed, stale sockets and all', async () => {
    assert.equal((await bench.run('boot', '--detach', '--only', 'scheduler')).code, 0);
    for (const pid of bench.processes()) process.kill(pid, 'SIGKILL');
    await poll('nothing is left', () => bench.processes().length === 0);
    assert.ok(existsSync(join(bench.home, 'run/control.sock')));
    assert.match((await bench.run('status')).stderr, /NOT_RUNNING/);
    assert.equal((await bench.run('boot', '--detach', '--only', 'scheduler')).code, 0);
    assert.equal((await bench.run('stop')).code, 0);
  });

  test('into a home that cannot be made fails with its reason', async () => {
    writeFileSync(join(bench.cwd, 'file'), '');
    const { code, stderr } = await bench.run('boot', '--detach', '--home', 'file/home');
    assert.equal(code, 1);
    assert.match(stderr, /HOME_UNUSABLE: cannot use .*file\/home/);
  });

  test('a circle of needs is refused before anything starts', async () => {
    writeFileSync(join(bench.cwd, 'grace.yaml'), 'kernels: { message_bus: { needs: [scheduler] } }');
    const { code, stderr } = await bench.run('boot', '--detach');
    assert.equal(code, 64);
    assert.match(stderr, /NEEDS_CYCLE: .*message_bus needs scheduler needs message_bus/);
    assert.equal(existsSync(bench.home), false);
  });
});

describe('grace doctor', () => {
  test('tries every signal for real and leaves nothing behind', async () => {
    const bench = new Bench();
    try {
      const found = await bench.json<{
        ok: boolean;
        signals: { id: string; state: string }[];
        limits: { id: string; state: string; detail: string }[];
      }>('doctor');
      assert.equal(found.ok, true);
      assert.deepEqual(
        found.signals.map(({ id }) => id),
        ['heartbeat', 'event_loop', 'thread_cpu', 'run_delay', 'heap', 'pressure'],
      );
      assert.deepEqual(
        found.limits.map(({ id }) => id),
        ['heap_limit', 'external_limit', 'cpu_limit', 'cgroup2', 'cgroup1', 'memory_group'],
      );
      const cpu = found.limits.find(({ id }) => id === 'cpu_limit')!;
      assert.equal(cpu.state, 'live', cpu.detail);
      assert.match(cpu.detail, /^(cgroup2|cgroup1|inspector): 20 % asked, \d+\.\d % got$/);
      assert.deepEqual(readdirSync(bench.cwd), []);
    } finally {
      await bench.clear();
    }
  });
});
