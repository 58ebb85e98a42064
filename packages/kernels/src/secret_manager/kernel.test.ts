import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { inspect } from 'node:util';
import { createStore, defineKernel } from '@grace/kernel-sdk';
import { poll } from '@grace/testkit';
import { type Got, grant, type Listed, VALUE, withVault } from './fixtures/bench.ts';
import kernel from './kernel.ts';

describe('a secret', () => {
  test('is got as it was set, its versions count, and a restart keeps it', () =>
    withVault(async ({ rig, call }) => {
      assert.deepEqual(await call('set', { name: 'db.password', value: VALUE }), {
        ...{ name: 'db.password', version: 1, created: true, told: 0 },
      });
      const again = await call('set', { name: 'db.password', value: VALUE });
      assert.deepEqual([again['version'], again['created']], [1, false], 'said again after a lost answer: the same');
      assert.equal((await call('set', { name: 'db.password', value: `${VALUE}-2` }))['version'], 2);
      const got = await call<Got>('get', { name: 'db.password' });
      assert.deepEqual([got.value, got.version, got.current], [`${VALUE}-2`, 2, true]);
      await rig.restart('secret_manager');
      assert.equal((await call<Got>('get', { name: 'db.password' })).value, `${VALUE}-2`);
      assert.equal((await call<Got>('get', { name: 'db.password', version: 1 })).value, VALUE);
      assert.equal((await call<{ lease: string }>('renew', { lease: got.lease })).lease, got.lease);
    }));

  test('of many versions keeps the newest', () =>
    withVault(
      async ({ call }) => {
        for (let i = 1; i <= 5; i++) await call('set', { name: 'a', value: `${VALUE} ${i}` });
        const [{ versions } = { versions: [] }] = await call<Listed>('list');
        assert.deepEqual(
          versions.map(({ version }) => version),
          [3, 4, 5],
        );
      },
      { config: { versionsMax: 3 } },
    ));

  test('that is revoked is neither in the answers nor in the vault, and its name can be used again', () =>
    withVault(async ({ rig, call }) => {
      await call('set', { name: 'a', value: VALUE });
      await call('set', { name: 'a', value: `${VALUE} 2` });
      assert.equal((await call('revoke', { name: 'a', version: 1 }))['gone'], false);
      await assert.rejects(call('get', { name: 'a', version: 1 }), { code: 'NOT_FOUND' });
      assert.equal((await call('revoke', { name: 'a' }))['gone'], true);
      await assert.rejects(call('get', { name: 'a' }), { code: 'NOT_FOUND' });
      await rig.restart('secret_manager');
      await assert.rejects(call('get', { name: 'a' }), { code: 'NOT_FOUND' });
      assert.equal((await call('set', { name: 'a', value: VALUE }))['version'], 1);
    }));

  test('that is acknowledged survives a process killed in the middle of the next one', {
    timeout: 60_000,
  }, async () => {
    const fixture = fileURLToPath(new URL('./fixtures/sets-for-ever.ts', import.meta.url));
    const child = spawn(process.execPath, [fixture], { stdio: ['ignore', 'pipe', 'inherit'] });
    const said: string[] = [];
    let rest = '';
    child.stdout.on('data', (chunk) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop()!;
      said.push(...lines);
      if (said.length >= 6) child.kill('SIGKILL');
    });
    await once(child, 'close');
    const [stateDir, ...names] = said;
    const store = createStore(stateDir!);
    const here = defineKernel({ id: kernel.id, start: (ctx) => kernel.start({ ...ctx, stateDir: stateDir!, store }) });
    try {
      await withVault(
        async ({ rig, call, audit }) => {
          for (const name of names) assert.equal((await call<Got>('get', { name })).value, `the value of ${name}`);
          assert.ok((await call<Listed>('list')).length - names.length <= 1, 'at most the one under way is there too');
          await rig.probe('secret_manager');
          await poll('every access is on the record', () =>
            names.every((name) =>
              audit.some((entry) => entry['action'] === 'secret:get' && entry['resource'] === name),
            ),
          );
        },
        { definition: here },
      );
    } finally {
      store.close();
      rmSync(dirname(stateDir!), { recursive: true, force: true });
    }
  });
});

describe('leases', () => {
  test('belong to their holder, are renewed, and end', () =>
    withVault(async (bench) => {
      const { call, as } = bench;
      await call('set', { name: 'a', value: VALUE });
      await grant(bench, 'librarian', 'a', 'get');
      const { lease, expires } = await as<Got>('librarian', 'get', { name: 'a', leaseMs: 60_000 });
      assert.ok(Math.abs(Date.parse(expires) - Date.now() - 60_000) < 30_000);
      const renewed = await as<Got>('librarian', 'renew', { lease, leaseMs: 600_000 });
      assert.ok(Date.parse(renewed.expires) > Date.parse(expires));
      await assert.rejects(as('intruder', 'renew', { lease }), { code: 'FORBIDDEN' });
      await assert.rejects(as('intruder', 'revoke', { lease }), { code: 'FORBIDDEN' });
      assert.equal((await as<unknown[]>('librarian', 'leases')).length, 1);
      assert.equal((await as<unknown[]>('intruder', 'leases')).length, 0);
      await call('grants', { remove: { principal: 'librarian', pattern: 'a' } });
      await assert.rejects(as('librarian', 'renew', { lease }), { code: 'FORBIDDEN' }, 'a lease is no grant');
      await as('librarian', 'revoke', { lease });
      await assert.rejects(as('librarian', 'renew', { lease }), { code: 'NOT_FOUND' });
    }));

  test('run out', () =>
    withVault(async ({ call }) => {
      await call('set', { name: 'a', value: VALUE });
      const { lease } = await call<Got>('get', { name: 'a', leaseMs: 1000 });
      await poll('it has ended', async () => (await call<unknown[]>('leases')).length === 0);
      await assert.rejects(call('renew', { lease }), { code: 'NOT_FOUND' });
    }));

  test('of an older version are told of a rotation; the old version is handed out for the grace period only', () =>
    withVault(async (bench) => {
      const { rig, call, as } = bench;
      const heard: {
        name: string;
        current: number;
        leases: { lease: string; principal: string; version: number }[];
      }[] = [];
      await rig
        .bus('librarian')
        .subscribe('kernel.secret_manager.event.*', ({ payload }) => void heard.push(payload as never));
      await call('set', { name: 'a', value: VALUE });
      await grant(bench, 'librarian', 'a', 'get');
      const { lease } = await as<Got>('librarian', 'get', { name: 'a' });
      assert.equal((await call('rotate', { name: 'a', graceMs: 1000 }))['told'], 1);
      await poll('it is told', () => heard.length === 1);
      assert.deepEqual(
        [heard[0]!.name, heard[0]!.current, heard[0]!.leases.map((one) => [one.lease, one.principal, one.version])],
        ['a', 2, [[lease, 'librarian', 1]]],
      );
      const fresh = await as<Got>('librarian', 'get', { name: 'a' });
      assert.deepEqual([fresh.version, fresh.value.length], [2, 43]);
      await poll('the old version is not handed out any more', () =>
        as('librarian', 'get', { name: 'a', version: 1 }).then(
          () => false,
          ({ code }) => code === 'NOT_FOUND',
        ),
      );
      await assert.rejects(as('librarian', 'renew', { lease }), { code: 'NOT_FOUND' });
      await call('revoke', { name: 'a' });
      await poll('the end is told', () => heard.length === 2);
      assert.equal(heard[1]!.current, null);
      assert.equal(inspect(heard, { depth: 9 }).includes(VALUE), false);
    }));
});

test('a vault has one writer; the next may open it when the first has let go', async () => {
  await withVault(async ({ rig, call }) => {
    await call('set', { name: 'a', value: VALUE });
    const stateDir = rig.stateDir('secret_manager');
    const same = defineKernel({ id: kernel.id, start: (ctx) => kernel.start({ ...ctx, stateDir }) });
    await assert.rejects(
      withVault(async () => {}, { definition: same }),
      { code: 'CONFLICT', message: /one writer/ },
    );
    await rig.restart('secret_manager');
    assert.equal((await call<Got>('get', { name: 'a' })).value, VALUE);
  });
});
