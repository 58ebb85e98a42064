import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { StatusDocument } from '@grace/contracts';
import { bootSystem, openSite, poll, type Site, type System } from '@grace/testkit';
import { grace } from './capture.ts';

describe('a share that makes no sense is refused, and nothing is tried', () => {
  const cases: [string, RegExp][] = [
    ['-20%', /negative/],
    ['-0.2', /cannot be negative, and this is -20 %/],
    ['0', /cannot run; grace pause/],
    ['0%', /cannot run; grace pause/],
    ['120%', /more than one core, and this is 120 %/],
    ['1.2', /more than one core, and this is 120 %/],
    ['20', /this is 2000 % of one core\. For 20 % write 20%/],
    ['0.5%', /at least 1 %/],
    ['20 percent', /"percent" is no unit of a CPU share/],
    ['0.2cores', /"cores" is no unit/],
    ['of', /did you mean "off"/],
    ['much', /like 20% or 0\.2, or off/],
  ];
  for (const [share, message] of cases) {
    test(share, async () => {
      const { code, stderr } = await grace(['throttle', 'librarian', share]);
      assert.equal(code, 64, stderr);
      assert.match(stderr, message);
      const json = await grace(['throttle', 'librarian', share, '--json']);
      assert.equal(JSON.parse(json.stdout).error.code, 'USAGE');
    });
  }
});

describe('orders by hand', () => {
  test('are listed by help', async () => {
    const { stdout } = await grace(['--help']);
    for (const name of ['pause', 'resume', 'quarantine', 'throttle', 'stack', 'profile', 'explain'])
      assert.match(stdout, new RegExp(`^ +${name}\\b`, 'm'));
  });
  for (const argv of [
    ['throttle', 'x', '20%', '--for', '0'],
    ['profile', 'x', '--for', '2m'],
    ['pause'],
    ['throttle', 'x'],
    ['quarantine', 'x', '--reason'],
  ]) {
    test(`grace ${argv.join(' ')} is not understood`, async () => {
      assert.equal((await grace(argv)).code, 64);
    });
  }
  for (const argv of [
    ['pause', 'x'],
    ['resume', 'x'],
    ['quarantine', 'x'],
    ['throttle', 'x', '0.2'],
    ['throttle', 'x', 'off'],
    ['stack', 'x'],
    ['profile', 'x'],
  ]) {
    test(`grace ${argv.join(' ')} needs a system`, async () => {
      const { code, stderr } = await grace(argv);
      assert.equal(code, 1);
      assert.match(stderr, /NOT_RUNNING/);
    });
  }
});

/** Works for about a fifth of the time, in a function that a stack or profile can name. */
const BUSY = `
function churn(until) { let n = 0; while (performance.now() < until) n += Math.sqrt(n); return n; }
export default {
  id: 'busy',
  start() {
    const timer = setInterval(() => churn(performance.now() + 10), 50);
    return { verbs: {}, probe: () => ({}), drain: () => clearInterval(timer) };
  },
};`;

describe("a kernel in somebody's hands", () => {
  let site: Site;
  let system: System;
  before(async () => {
    site = openSite({ config: { kernels: { busy: { module: './busy.mjs' } } }, files: { 'busy.mjs': BUSY } });
    system = await bootSystem({ site, args: ['--only', 'message_bus,busy'] });
    assert.equal(system.booted.code, 0, system.booted.stdout);
  });
  after(async () => {
    await system?.stop();
    await site?.close();
  });

  const json = async <T>(...args: string[]): Promise<T> => {
    const { code, stdout, stderr } = await system.grace(...args, '--json');
    assert.equal(code, 0, `${args.join(' ')}: ${stdout}${stderr}`);
    return JSON.parse(stdout) as T;
  };
  const statusText = async (): Promise<string> => {
    const { code, stdout } = await system.grace('status');
    assert.equal(code, 0);
    return stdout;
  };

  test('is paused and resumed: down, back as the next incarnation, and in the journal by whom', async () => {
    const { incarnation } = await system.kernel('busy');
    assert.deepEqual(await json('pause', 'busy'), { kernel: 'busy' });
    assert.equal((await system.kernel('busy')).state, 'stopped');
    assert.match(await statusText(), /^busy +stopped/m);
    assert.deepEqual(await json('resume', 'busy'), { kernel: 'busy', incarnation: incarnation + 1 });
    const orders = (await system.journal('kernel:hand')).map(({ data: { order, by } }) => [order, by]);
    assert.deepEqual(orders, [
      ['pause', 'cli'],
      ['resume', 'cli'],
    ]);
  });

  test('is throttled, and the status shows the cap while it is enforced; then it is let go', async () => {
    const limited = await json<{ cpu: number | null; method: string }>('throttle', 'busy', '30%');
    assert.equal(limited.cpu, 0.3);
    const { system: about } = await json<StatusDocument>('status');
    const text = await statusText();
    if (about.enforcement.cpu === 'none') {
      assert.equal(limited.method, 'none');
      assert.match(text, /CPU limits: none: no CPU limit is enforced on this machine/);
    } else {
      assert.equal(limited.method, about.enforcement.cpu);
      assert.match(text, /^busy +running.* 30 %/m);
      assert.match(text, /^CPU limits: (control groups|pausing)/m);
    }
    assert.equal((await json<{ cpu: number | null }>('throttle', 'busy', 'off')).cpu, null);
    assert.equal((await system.kernel('busy')).cap, null);
  });

  test('is throttled for a while only, when that is asked', async () => {
    await json('throttle', 'busy', '0.5', '--for', '300ms');
    await poll('it is lifted', async () => (await system.kernel('busy')).cap === null);
    const limits = (await system.journal('kernel:limit')).filter(({ kernel }) => kernel === 'busy');
    assert.equal(limits.at(-1)!.data.cpu, null);
  });

  test('shows where its thread is', async () => {
    await poll('a stack with its own function', async () => {
      const { frames } = await json<{ frames: { function: string; file: string }[] }>('stack', 'busy');
      return frames.some((frame) => frame.function === 'churn' && frame.file.includes('busy.mjs'));
    });
  });

  test('is profiled: the file is kept, and the top lines name what it does', async () => {
    const profile = await json<{ file: string; bytes: number; top: string[] }>('profile', 'busy', '--for', '600ms');
    assert.ok(profile.bytes > 0);
    assert.ok(
      profile.top.some((line) => line.includes('churn')),
      profile.top.join('\n'),
    );
    assert.equal((await system.journal('kernel:evidence')).at(-1)!.data.kind, 'cpu_profile');
    const { stdout, code } = await system.grace('profile', 'busy', '--heap', '--for', '300ms');
    assert.equal(code, 0);
    assert.match(stdout, /^\S*evidence\/\S+ \([\d.]+ \w+\)$/m);
  });

  test('is quarantined with an incident for people that can be explained, and comes back when it is resumed', async () => {
    assert.deepEqual(await json('quarantine', 'busy', '--reason', 'it smells'), { kernel: 'busy' });
    assert.match(await statusText(), /^busy +quarantined/m);
    const { stdout } = await system.grace('explain');
    assert.match(stdout, /quarantine, \w+, escalated/);
    assert.match(stdout, /cli ordered it by hand: quarantine \(it smells\)/);
    await json('resume', 'busy');
    assert.equal((await system.kernel('busy')).state, 'running');
  });

  test('of a misspelt name is answered with the nearest one', async () => {
    for (const argv of [['pause'], ['resume'], ['quarantine'], ['throttle', '20%'], ['stack'], ['profile']]) {
      const [command, ...rest] = argv;
      const { code, stderr } = await system.grace(command!, 'bsy', ...rest);
      assert.equal(code, 1);
      assert.match(stderr, /UNKNOWN_KERNEL: .*did you mean "busy"/);
    }
  });

  test('is shown in lines of at most 100 columns', async () => {
    for (const line of (await statusText()).split('\n').filter((one) => !one.startsWith('home ')))
      assert.ok(line.length <= 100, line);
  });
});
