import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { BusStatistics, DeadLetterPage, EventName, StatusDocument } from '@grace/contracts';
import { bootSystem, openSite, poll, type Site, type System } from '@grace/testkit';
import { grace } from './capture.ts';

describe('orders to the bus', () => {
  for (const argv of [
    ['bus', 'replay'],
    ['bus', 'replay', '7', '--all'],
    ['bus', 'mute'],
    ['bus', 'mute', 'x', '--for', '25h'],
    ['bus', 'dead', '--limit', '0'],
    ['bus', 'mut', 'x'],
  ]) {
    test(`grace ${argv.join(' ')} is not understood`, async () => {
      assert.equal((await grace(argv)).code, 64);
    });
  }
  for (const argv of [['stats'], ['dead'], ['replay', '--all'], ['mute', 'x'], ['unmute', 'x'], ['reload']]) {
    test(`grace bus ${argv.join(' ')} needs a system`, async () => {
      const { code, stderr } = await grace(['bus', ...argv]);
      assert.deepEqual([code, /NOT_RUNNING/.test(stderr)], [1, true], stderr);
    });
  }
});

/** Refuses what it is given until somebody heals it. */
const WORKER = `
export default {
  id: 'worker',
  async start(ctx) {
    let healthy = false;
    let ended = null;
    const done = [];
    const take = ({ payload }) => { if (!healthy) throw new Error('not today'); done.push(payload); };
    await ctx.bus.subscribe('task.work', take, { durable: { maxAttempts: 1 } });
    await ctx.bus.subscribe('news.>', () => {}, { onEnd: ({ code }) => { ended = code; } });
    return { verbs: { heal: () => { healthy = true; }, look: () => ({ done, ended }) }, probe: () => ({}) };
  },
};`;

const PRODUCT = readFileSync(fileURLToPath(new URL('../../../configs/acl.yaml', import.meta.url)), 'utf8');
const rulesWith = (more: string): string => `${PRODUCT}\n${more}\n`;
const GUEST = '  guest:\n    publish: { allow: ["guest.>"] }\n';
const grants = (subscribe: string[]) => ({ subscribe: { allow: subscribe }, publish: { allow: ['fresh.>'] } });
const configOf = (subscribe: string[]): object => ({
  acl: './acl.yaml',
  kernels: { worker: { module: './worker.mjs', needs: ['message_bus'], grants: grants(subscribe) } },
});

describe('the bus of a running system', () => {
  let site: Site;
  let system: System;
  before(async () => {
    const config = configOf(['task.work', 'news.>']);
    site = openSite({ config, files: { 'worker.mjs': WORKER, 'acl.yaml': rulesWith(GUEST) } });
    system = await bootSystem({ site, args: ['--only', 'message_bus,worker'] });
    assert.equal(system.booted.code, 0, system.booted.stdout + system.booted.stderr);
  });
  after(async () => {
    await system?.stop();
    await site?.close();
  });

  const run = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await system.grace(...args);
    assert.equal(code, 0, `${args.join(' ')}: ${stdout}${stderr}`);
    return stdout;
  };
  const json = async <T>(...args: string[]): Promise<T> => JSON.parse(await run(...args, '--json')) as T;
  const refused = async (...args: string[]): Promise<string> => {
    const { code, stdout, stderr } = await system.grace(...args);
    assert.notEqual(code, 0, stdout);
    return `${code} ${stderr}`;
  };

  /** What a kernel reports is on another way than the answer of its verb, and may be later. */
  const journalled = <N extends EventName>(count: number, ...names: N[]) =>
    poll(`${names.join(', ')} is in the journal`, async () => {
      const records = await system.journal<N>(...names);
      return records.length >= count && records;
    });

  test('what nobody could handle is listed as dead, replayed, and in the journal by whom', async () => {
    const { id } = await json<{ id: string }>('publish', 'task.work', '{"n":1}');
    const page = await poll('it is dead', async () => {
      const seen = await json<DeadLetterPage>('bus', 'dead', 'task.>', '--payload');
      return seen.total === 1 && seen;
    });
    const { messageId, subject, from, attempts, reason, payload } = page.letters[0]!;
    assert.deepEqual(
      { messageId, subject, from, attempts, reason, payload },
      { messageId: id, subject: 'task.work', from: 'cli', attempts: 1, reason: 'rejected', payload: { n: 1 } },
    );
    assert.match(await run('bus', 'dead'), /task\.work +cli +worker\/task\.work +1 .*rejected: .*not today/);
    assert.match(await run('bus', 'dead', 'audit.>'), /^no dead letters/);
    await system.call('worker', 'heal');
    assert.match(await run('bus', 'replay', String(page.letters[0]!.id)), /^1 message goes back/);
    await poll('it is done', async () => (await system.call<{ done: unknown[] }>('worker', 'look')).done.length === 1);
    assert.deepEqual(await json('bus', 'replay', '--all'), { replayed: 0 });
    const orders = (await journalled(2, 'bus:letters')).map(({ data }) => [data.order, data.by, data.count]);
    assert.deepEqual(orders, [
      ['replay', 'cli', 1],
      ['replay', 'cli', 0],
    ]);
  });

  test('a violation is seen in status and statistics, and a mute by hand refuses and is lifted again', async () => {
    assert.match(await refused('publish', 'forbidden.x', '1', '--as', 'guest'), /^1 .*BUS_DENIED/);
    const status = await poll('the status has it', async () => {
      const seen = await json<StatusDocument>('status');
      return seen.bus.violations.length > 0 && seen;
    });
    assert.deepEqual(status.bus.violations, [
      { principal: 'guest', denied: 1, lastSubject: 'forbidden.x', mutedUntilMono: null, level: 0 },
    ]);
    assert.deepEqual(status.bus.unbalanced, []);
    assert.match(await run('status'), /^denied: guest \(1 denied, last forbidden\.x\)$/m);
    assert.match(await refused('bus', 'mute', 'gest'), /NOT_FOUND: .*did you mean "guest"/);
    assert.match(await run('bus', 'mute', 'guest', '--for', '2m'), /guest is muted for 2m 00s/);
    assert.match(await refused('publish', 'guest.a', '1', '--as', 'guest'), /BUS_MUTED/);
    const text = await run('bus', 'stats');
    assert.match(text, /^bus: \d+ accepted = .*; \d+ denied$/m);
    assert.match(text, /^guest +0 +- +\d+ +1m \d\ds +0 +forbidden\.x$/m);
    assert.match(text, /^worker\/task\.work +task\.work +1 +0 +0 +-$/m);
    assert.match(text, /^message_bus +port +1$/m);
    const { durable, latency } = await json<BusStatistics>('bus', 'stats');
    assert.equal(durable?.dead, 0);
    assert.ok(latency['task']!.count >= 1);
    assert.match(await run('bus', 'unmute', 'guest'), /guest may publish again/);
    assert.match(await run('bus', 'unmute', 'guest'), /guest was not muted/);
    await run('publish', 'guest.a', '1', '--as', 'guest');
    const told = (await journalled(2, 'bus:muted', 'bus:unmuted')).map(({ name, data }) => [name, data.by]);
    assert.deepEqual(told, [
      ['bus:muted', 'cli'],
      ['bus:unmuted', 'cli'],
    ]);
    const kinds = (await json<{ kind: string }[]>('incidents')).map(({ kind }) => kind);
    assert.equal(kinds.includes('acl_violation'), false);
  });

  test('tap hears durable subjects too, under the rules of whom it stands for', async () => {
    const tap = system.site.start('tap', 'task.>', '--count', '1', '--json');
    await poll('it listens', () => /tapping/.test(tap.output()));
    await run('publish', 'task.work', '{"n":2}');
    const { code, stdout } = await tap.ended;
    assert.deepEqual([code, (JSON.parse(stdout) as { payload: unknown }).payload], [0, { n: 2 }]);
    assert.match(await refused('tap', 'task.>', '--as', 'guest'), /BUS_DENIED/);
    assert.match(await refused('tap', 'task.>', '--as', 'gast'), /FORBIDDEN/);
    // Nothing was registered for it: nobody would ever take what waits.
    const { durable } = await json<BusStatistics>('bus', 'stats');
    assert.deepEqual(
      durable?.consumers.map(({ name }) => name),
      ['worker/task.work'],
    );
  });

  test('a file of access rules that is wrong is refused with its line, and those before stay', async () => {
    site.write('acl.yaml', rulesWith('  visitor:\n    publish: { alow: ["visitor.>"] }'));
    const lines = rulesWith('').split('\n').length;
    assert.match(
      await refused('bus', 'reload'),
      new RegExp(`^64 .*CONFIG_INVALID: acl.yaml:${lines}:\\d+.*alow.*did you mean "allow"`, 's'),
    );
    await run('publish', 'guest.a', '1', '--as', 'guest');
    assert.deepEqual(await system.journal('bus:acl'), []);
    assert.match(
      await system.client
        .request('bus.reload', { acl: { kernels: {}, principals: {} } as never, by: 'test' })
        .then(String, ({ code, message }) => `${code} ${message}`),
      /^BAD_INPUT acl\.kernels\.publish: expected an object/,
    );
    const forged = { kernel: 'message_bus', verb: 'reload', input: {}, from: 'supervisor' };
    await assert.rejects(system.client.request('call', forged), { code: 'FORBIDDEN' });
  });

  test('access rules are replaced while everybody stays connected, and whoever lost a right hears of it', async () => {
    site.write('acl.yaml', rulesWith('  visitor:\n    publish: { allow: ["visitor.>"] }'));
    site.write('grace.yaml', JSON.stringify(configOf(['task.work'])));
    const before = await system.kernel('worker');
    const { applied, ended, principals, sha256 } = await json<{
      applied: boolean;
      ended: number;
      principals: number;
      sha256: string;
    }>('bus', 'reload');
    assert.deepEqual([applied, ended], [true, 1]);
    const [record] = await journalled(1, 'bus:acl');
    assert.deepEqual(record!.data, { by: 'cli', principals, sha256, applied, ended });
    await poll(
      'it is told',
      async () => (await system.call<{ ended: string }>('worker', 'look')).ended === 'BUS_DENIED',
    );
    await run('publish', 'visitor.a', '1', '--as', 'visitor');
    assert.match(
      await refused('publish', 'guest.a', '1', '--as', 'guest'),
      /FORBIDDEN: .*no outside principal "guest"/,
    );
    assert.equal((await system.kernel('worker')).incarnation, before.incarnation);
  });

  test('the next broker and the next supervisor go on with them, and with mutes', async () => {
    await run('bus', 'mute', 'visitor', '--for', '1h');
    const bus = await system.kernel('message_bus');
    process.kill(await system.cellPid('core'), 'SIGKILL');
    await system.back('message_bus', bus.incarnation);
    assert.match(await refused('publish', 'visitor.a', '1', '--as', 'visitor'), /BUS_MUTED/);
    await run('bus', 'unmute', 'visitor');
    await run('publish', 'visitor.a', '1', '--as', 'visitor');
    process.kill(system.pid, 'SIGKILL');
    await poll('another supervisor is there', async () => {
      const { code, stdout } = await system.grace('status', '--json');
      return code === 0 && (JSON.parse(stdout) as StatusDocument).system.pid !== system.pid;
    });
    await run('publish', 'visitor.a', '1', '--as', 'visitor');
    assert.match(await refused('publish', 'guest.a', '1', '--as', 'guest'), /FORBIDDEN/);
  });
});
