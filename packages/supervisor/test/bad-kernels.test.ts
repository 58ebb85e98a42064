import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { bootSystem, openSite, poll, type System } from '@grace/testkit';
import { misbehaving } from './misbehaving.ts';

const once = { budget: 1 };

describe('a system with kernels that cannot start', () => {
  let system: System;
  before(async () => {
    const user = { start_deadline: '1s', restart: once, config: { cure: 'cure' } };
    system = await bootSystem({
      config: {
        kernels: {
          thrower: { module: './thrower.mjs', ...user, config: { cure: 'cure', fault: 'throw' } },
          sulker: { module: './sulker.mjs', ...user, config: { cure: 'cure', fault: 'probe' } },
          hanger: { module: './hanger.mjs', ...user, config: { cure: 'cure', fault: 'hang' } },
          absent: { module: './absent.mjs', ...user },
          broken: { module: './broken.mjs', ...user },
          number: { module: './number.mjs', ...user },
          misnamed: { module: './misnamed.mjs', ...user },
          probeless: { module: './probeless.mjs', ...user },
          dependant: { module: './dependant.mjs', ...user, needs: ['thrower'] },
          grandchild: { module: './grandchild.mjs', ...user, needs: ['dependant'] },
          neighbour: { module: './neighbour.mjs', ...user },
        },
      },
      files: {
        ...Object.fromEntries(
          ['thrower', 'sulker', 'hanger', 'dependant', 'grandchild', 'neighbour'].map((id) => [
            `${id}.mjs`,
            misbehaving(id),
          ]),
        ),
        'broken.mjs': 'export default {',
        'number.mjs': 'export default 7;',
        'misnamed.mjs': misbehaving('somebody_else'),
        'probeless.mjs': "export default { id: 'probeless', start: () => ({ verbs: {} }) };",
      },
      args: [
        '--only',
        'thrower,sulker,hanger,absent,broken,number,misnamed,probeless,dependant,grandchild,neighbour,scheduler',
      ],
    });
  });
  after(() => system?.site.close({ mayLeave: true }));

  const EXPECTED = {
    thrower: ['quarantined', 'KERNEL_START', /I will not/],
    sulker: ['quarantined', 'KERNEL_NEVER_READY', /not ready after 1000 ms; last: not today/],
    hanger: ['quarantined', 'KERNEL_NEVER_READY', /not ready after 1000 ms; start has not returned/],
    absent: ['failed', 'KERNEL_MISSING', /there is no module .*absent\.mjs/],
    broken: ['quarantined', 'KERNEL_START', /Unexpected/],
    number: ['failed', 'KERNEL_INVALID', /default export of .*number\.mjs is not a kernel/],
    misnamed: ['failed', 'KERNEL_INVALID', /exports the kernel "somebody_else"/],
    probeless: ['failed', 'KERNEL_INVALID', /start returned no probe function/],
    dependant: ['failed', 'NEEDS_FAILED', /dependant needs thrower/],
    grandchild: ['failed', 'NEEDS_FAILED', /grandchild needs dependant/],
  } as const;

  test('ends its boot with 1 and says for each what is wrong', () => {
    const { code, stdout } = system.booted;
    assert.equal(code, 1, stdout);
    assert.match(stdout, /^3 of 13 kernels ready/m);
    for (const [id, [, errorCode]] of Object.entries(EXPECTED)) {
      assert.match(stdout, new RegExp(`^not ready ${id}: ${errorCode}: .`, 'm'));
    }
  });

  for (const [id, [state, code, message]] of Object.entries(EXPECTED)) {
    test(`says of ${id}: ${state}, ${code}`, async () => {
      const kernel = await system.kernel(id);
      assert.deepEqual([kernel.state, kernel.error?.code], [state, code], kernel.error?.message ?? 'no error');
      assert.match(kernel.error!.message, message);
    });
  }

  test('runs and serves with the others', async () => {
    for (const id of ['message_bus', 'scheduler', 'neighbour'])
      assert.equal((await system.kernel(id)).state, 'running', id);
    assert.deepEqual(await system.call('neighbour', 'count'), { count: 1, incarnation: 1 });
    assert.equal((await system.status()).system.state, 'degraded');
    assert.equal((await system.grace('call', 'scheduler', 'jobs')).code, 0);
  });

  test('brings a cured kernel and those that need it up at a restart by hand', async () => {
    system.site.write('home/cure', '');
    for (const id of ['thrower', 'sulker', 'hanger']) {
      const { code, stderr } = await system.grace('restart', id);
      assert.equal(code, 0, stderr);
      assert.equal((await system.kernel(id)).state, 'running', id);
    }
    for (const id of ['dependant', 'grandchild']) {
      await poll(`${id} runs`, async () => (await system.kernel(id)).state === 'running');
      assert.equal((await system.kernel(id)).error, null);
    }
  });

  test('brings a kernel up whose module came later', async () => {
    system.site.write('absent.mjs', misbehaving('absent'));
    const { code, stderr } = await system.grace('restart', 'absent');
    assert.equal(code, 0, stderr);
    assert.deepEqual(await system.call('absent', 'count'), { count: 1, incarnation: 2 });
  });

  test('says at once why a restart by hand did not help', async () => {
    const { code, stderr } = await system.grace('restart', 'number');
    assert.equal(code, 1);
    assert.match(stderr, /KERNEL_INVALID: .*is not a kernel/);
  });

  test('leaves nothing behind when it stops', async () => {
    await system.stop();
  });
});

describe('a configuration that is wrong', () => {
  const refused: [name: string, config: string, message: RegExp][] = [
    [
      'a circle of needs',
      'kernels:\n  message_bus: { needs: [scheduler] }\n',
      /NEEDS_CYCLE: .*message_bus needs scheduler needs message_bus/,
    ],
    [
      'an unknown need',
      'kernels:\n  scheduler:\n    needs: [mesage_bus]\n',
      /NEEDS_UNKNOWN: grace\.yaml:3:5: .*did you mean "message_bus"/,
    ],
    [
      'an unknown key',
      'settings:\n  orphn: 1s\n',
      /CONFIG_INVALID: grace\.yaml:2:3: .*"orphn" \(did you mean "orphan"\?\)/,
    ],
    [
      'a kernel without a module',
      'kernels:\n  libarian: { cell: edge }\n',
      /CONFIG_INVALID: grace\.yaml:2:\d+: .*did you mean "librarian"/,
    ],
    ['a text that is no YAML', 'kernels: [\n', /CONFIG_INVALID: grace\.yaml:\d+:\d+: /],
  ];
  for (const [name, config, message] of refused) {
    test(`is refused before anything starts: ${name}`, async () => {
      const site = openSite({ config });
      try {
        const { code, stderr } = await site.grace('boot', '--detach');
        assert.equal(code, 64);
        assert.match(stderr, message);
        assert.equal(existsSync(site.home), false);
        await site.stop();
      } finally {
        await site.close();
      }
    });
  }
});
