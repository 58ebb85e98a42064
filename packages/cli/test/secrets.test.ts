import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { bootSystem, openSite, poll, type Site, type System } from '@grace/testkit';
import { CANARY, filesOf, processList, shows } from './canary.ts';
import { type Captured, grace } from './capture.ts';

const leaky = fileURLToPath(new URL('./fixtures/leaky.mjs', import.meta.url));
const config = {
  settings: { log_level: 'trace' },
  kernels: {
    secret_manager: { probe: { interval: '500ms' }, restart: { budget: 1, backoff: 0 } },
    leaky: {
      module: leaky,
      needs: ['message_bus'],
      commands: ['restart'],
      restart: { budget: 20 },
      grants: { publish: { allow: ['kernel.secret_manager.call.get', 'task.leaky'] } },
    },
  },
};

describe('a secret that a kernel was given and says in every way it can', () => {
  let site: Site;
  let system: System;
  const said: Captured[] = [];
  const command = async (argv: string[], stdin?: string): Promise<Captured> => {
    const captured = await grace(['--home', system.home, ...argv], {
      cwd: site.dir,
      ...(stdin === undefined ? {} : { stdin }),
    });
    return captured;
  };

  before(async () => {
    site = openSite({ config });
    system = await bootSystem({ site, args: ['--only', 'leaky,secret_manager,governance,immutable_log,scheduler'] });
    assert.equal(system.booted.code, 0, system.booted.stderr);
  });
  after(async () => {
    await system?.stop();
    await site?.close();
  });

  test('is kept, granted and handed out by the command line and the bus', async () => {
    const set = await command(['secret', 'set', 'canary.one'], `${CANARY}\n`);
    assert.deepEqual([set.code, set.stderr], [0, '']);
    assert.equal((await command(['secret', 'get', 'canary.one'])).stdout, `${CANARY}\n`);
    await assert.rejects(system.call('leaky', 'take'), { code: 'FORBIDDEN' });
    assert.equal((await command(['secret', 'grants', 'leaky', 'canary.*', '--can', 'get'])).code, 0);
    // It is no kernel the policies know: somebody approves.
    const waiting = await system.call('leaky', 'take').then(
      () => null,
      (error: { code: string; details: { approval: string } }) => error,
    );
    if (waiting) {
      assert.equal(waiting.code, 'APPROVAL_NEEDED');
      const input = { id: waiting.details.approval, forMs: 600_000 };
      await system.client.request('call', { kernel: 'governance', verb: 'approve', input, from: 'cli' }, 10_000);
    }
    assert.deepEqual(await system.call('leaky', 'take'), { length: CANARY.length });
  });

  test('is refused where it would stand in the list of processes', async () => {
    const input = JSON.stringify({ name: 'a', value: CANARY });
    const { code, stderr } = await grace(['--home', system.home, 'call', 'secret_manager', 'set', input]);
    assert.equal(code, 64);
    assert.equal(shows(stderr), false);
  });

  test('stands nowhere: logs, prints, errors, journal, record, evidence, incidents, crashes, process list', async () => {
    const take = () => system.call('leaky', 'take');
    for (const verb of ['log', 'print', 'publish', 'command']) await system.call('leaky', verb);
    const failed = await system.call('leaky', 'fail').then(
      () => assert.fail('it throws'),
      (error: Error) => error,
    );
    said.push({
      code: 0,
      stdout: JSON.stringify({ ...failed, message: failed.message, stack: failed.stack }),
      stderr: '',
    });
    said.push(await command(['call', 'leaky', 'fail', '-v']));
    said.push({
      code: 0,
      stdout: JSON.stringify(await system.client.request('probe', { kernel: 'leaky' })),
      stderr: '',
    });
    for (const kind of [['--heap'], []]) said.push(await command(['profile', 'leaky', ...kind, '--for', '300ms']));
    said.push(await command(['stack', 'leaky']));
    for (const how of ['error', 'text', 'rejection']) {
      const { incarnation } = await system.kernel('leaky');
      await system.call('leaky', 'crash', { how }).catch(() => {});
      await system.back('leaky', incarnation);
      await take();
    }
    const { incarnation } = await system.kernel('leaky');
    await system.client.request('restart', { kernel: 'leaky', by: 'test' }, 20_000);
    await system.back('leaky', incarnation);
    await poll('the record has it', async () => {
      const { entries } = await system.call<{ entries: unknown[] }>('immutable_log', 'search', {
        resource: 'by-audit',
      });
      return entries.length > 0;
    });

    const incidents = JSON.parse((await command(['incidents', '--json'])).stdout) as { id: string; subject: string }[];
    assert.ok(incidents.some(({ subject }) => subject === 'leaky'));
    for (const argv of [['incidents'], ['status', '--json'], ['logs'], ...incidents.map(({ id }) => ['explain', id])])
      said.push(await command(argv));
    assert.deepEqual(
      said.filter(({ code }) => code !== 0).map(({ stderr }) => stderr.split('\n')[0]),
      ['grace: CONFLICT: by-throw [redacted]'],
      'all the others did what they were asked',
    );
    assert.equal(
      said.some(({ stdout, stderr }) => shows(stdout + stderr)),
      false,
    );
    assert.equal(shows(processList()), false);

    const files = filesOf(site.dir).map((path) => ({ path, text: readFileSync(path, 'latin1') }));
    assert.deepEqual(
      files.filter(({ text }) => shows(text)).map(({ path }) => path),
      [],
    );
    // Each of them was there, with something left out.
    const everything = [...files.map(({ text }) => text), ...said.map(({ stdout, stderr }) => stdout + stderr)].join(
      '\n',
    );
    for (const way of [
      'log',
      'trace',
      'print',
      'pieces',
      'throw',
      'audit',
      'command',
      'crash',
      'thrown-text',
      'rejection',
      'drain',
    ])
      assert.match(everything, new RegExp(`by-${way}[^\\n]{0,200}\\[redacted\\]`), way);
    assert.ok(files.some(({ path }) => path.endsWith('/secret_manager/vault/vault')));
  });

  test('is not served from a vault that somebody has replaced: the supervisor restarts it, and then keeps it down', async () => {
    writeFileSync(join(system.home, 'state/secret_manager/vault/vault'), 'nothing');
    const kernel = await poll(
      'it is down for good',
      async () => {
        const one = await system.kernel('secret_manager');
        return one.quarantined && one;
      },
      { deadlineMs: 60_000 },
    );
    assert.equal(kernel.error?.code, 'VAULT_DAMAGED');
    await assert.rejects(system.call('leaky', 'take'), { code: /^(BUS_NO_RESPONDERS|BUS_DEADLINE)$/ });
    const opened = await system.journal('incident:open');
    assert.ok(opened.some(({ data }) => data.incident.subject === 'secret_manager'));
  });
});
