import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { inspect } from 'node:util';
import type { AclDocument } from '@grace/contracts';
import { parseAcl } from '@grace/contracts/config';
import { defineKernel, type KernelContext } from '@grace/kernel-sdk';
import { poll } from '@grace/testkit';
import { type Got, grant, type Listed, policies, VALUE, withVault } from '../fixtures/bench.ts';
import kernel from '../kernel.ts';

describe('grants', () => {
  test('let a principal do what they say with the names they match, and nothing else', () =>
    withVault(async (bench) => {
      const { call, as } = bench;
      for (const name of ['models.openai.key', 'models.local', 'db.password'])
        await call('set', { name, value: VALUE });
      await grant(bench, 'librarian', 'models.*', 'get');
      await grant(bench, 'keeper', 'db.>', 'get', 'set', 'revoke');
      assert.equal((await as<Got>('librarian', 'get', { name: 'models.local' })).value, VALUE);
      for (const name of ['models.openai.key', 'db.password', 'models'])
        await assert.rejects(as('librarian', 'get', { name }), { code: 'FORBIDDEN' }, name);
      for (const [verb, more] of [
        ['set', { value: VALUE }],
        ['rotate', {}],
        ['revoke', {}],
      ] as const)
        await assert.rejects(as('librarian', verb, { name: 'models.local', ...more }), { code: 'FORBIDDEN' }, verb);
      assert.equal((await as('keeper', 'rotate', { name: 'db.password' }))['version'], 2);
      assert.deepEqual(
        (await as<Listed>('librarian', 'list')).map(({ name, can }) => [name, can]),
        [['models.local', ['get']]],
      );
      assert.deepEqual(await as('nobody', 'list'), []);
      await call('grants', { remove: { principal: 'librarian', pattern: 'models.*' } });
      await assert.rejects(as('librarian', 'get', { name: 'models.local' }), { code: 'FORBIDDEN' });
    }));

  test('are changed by owners alone; others see their own', () =>
    withVault(async (bench) => {
      await grant(bench, 'librarian', 'models.*', 'get');
      await grant(bench, 'keeper', 'db.>', 'get');
      assert.equal((await bench.as<unknown[]>('librarian', 'grants')).length, 1);
      const more = { add: { principal: 'librarian', pattern: '>', can: ['get'] } };
      await assert.rejects(bench.as('librarian', 'grants', more), { code: 'FORBIDDEN' });
      await assert.rejects(bench.as('librarian', 'rekey'), { code: 'FORBIDDEN' });
      await assert.rejects(bench.as('librarian', 'grants', { add: { principal: 'cli' } }), { code: 'BAD_INPUT' });
    }));

  test('are looked up by the principal the wire tells, never by one the input names', () =>
    withVault(async (bench) => {
      await bench.call('set', { name: 'a', value: VALUE });
      await grant(bench, 'librarian', 'a', 'get');
      for (const field of ['from', 'principal', 'as'])
        await assert.rejects(bench.as('intruder', 'get', { name: 'a', [field]: 'librarian' }), { code: 'BAD_INPUT' });
      await assert.rejects(bench.as('intruder', 'get', { name: 'a' }), {
        code: 'FORBIDDEN',
        message: /^intruder may not/,
      });
    }));
});

describe('policies', () => {
  test('are asked on behalf of whoever asks, and a forbid stops the access, with the policies that say so', async () => {
    const { asked, definition } = policies(({ principal }) => (principal === 'intruder' ? 'forbid' : 'permit'));
    await withVault(
      async (bench) => {
        await bench.call('set', { name: 'a', value: VALUE });
        for (const principal of ['librarian', 'intruder']) await grant(bench, principal, 'a', 'get', 'set');
        assert.equal((await bench.as<Got>('librarian', 'get', { name: 'a' })).value, VALUE);
        const refusal = { code: 'FORBIDDEN', message: /policies: forbid-it; decision dec-1/ };
        await assert.rejects(bench.as('intruder', 'get', { name: 'a' }), refusal);
        await assert.rejects(bench.as('intruder', 'set', { name: 'a', value: 'overwritten' }), refusal);
        assert.equal((await bench.call<Got>('get', { name: 'a' })).value, VALUE);
        assert.deepEqual(
          asked.filter(({ resource }) => resource === 'a').map(({ principal, action }) => `${principal} ${action}`),
          [
            'test write_secret',
            'librarian read_secret',
            'intruder read_secret',
            'intruder write_secret',
            'test read_secret',
          ],
        );
        await poll('decisions are on the record', () =>
          bench.audit.some(({ payload }) => (payload as { policies?: string[] })?.policies?.[0] === 'permit-it'),
        );
      },
      { kernels: [definition] },
    );
  });

  test('may want an approval first', () =>
    withVault(
      async ({ call }) => {
        await assert.rejects(call('set', { name: 'a', value: VALUE }), {
          code: 'APPROVAL_NEEDED',
          details: { decision: 'dec-1', policies: ['needs_approval-it'], approval: 'apr-1' },
        });
        assert.deepEqual(await call('list'), []);
      },
      { kernels: [policies(() => 'needs_approval').definition] },
    ));

  test('that cannot be asked close the vault, but for names the configuration leaves open', () =>
    withVault(
      async ({ call, rig }) => {
        await call('set', { name: 'boot.key', value: VALUE });
        assert.equal((await call<Got>('get', { name: 'boot.key' })).value, VALUE);
        for (const [verb, input] of [
          ['set', { name: 'a', value: VALUE }],
          ['get', { name: 'a' }],
          ['rotate', { name: 'a' }],
          ['revoke', { name: 'a' }],
          ['grants', { add: { principal: 'x', pattern: '>', can: ['get'] } }],
          ['rekey', {}],
        ] as const)
          await assert.rejects(call(verb, input), { code: 'GOVERNANCE_UNREACHABLE' }, verb);
        await rig.probe('secret_manager');
      },
      { kernels: [], config: { offlineAllow: ['boot.*'] } },
    ));

  test('that answer nonsense permit nothing', () => {
    const nonsense = defineKernel({
      id: 'governance',
      start: () => ({ verbs: { request: () => ({ outcome: 'permit' }) }, probe: () => ({}) }),
    });
    return withVault(
      async ({ call }) => {
        await assert.rejects(call('set', { name: 'a', value: VALUE }), {
          code: 'GOVERNANCE_UNREACHABLE',
          message: /PROTOCOL/,
        });
      },
      { kernels: [nonsense] },
    );
  });
});

describe('the record', () => {
  test('has every access, granted and refused, with names and versions, and no value', () =>
    withVault(async (bench) => {
      const { call, as, audit } = bench;
      await call('set', { name: 'a', value: VALUE });
      await grant(bench, 'librarian', 'a', 'get');
      await as('librarian', 'get', { name: 'a' });
      await assert.rejects(as('intruder', 'get', { name: 'a' }));
      await call('rotate', { name: 'a' });
      await call('revoke', { name: 'a' });
      await call('rekey');
      const expected = [
        'test secret:set a ok',
        'test secret:grants ok',
        'librarian secret:get a ok',
        'intruder secret:get a FORBIDDEN',
        'test secret:rotate a ok',
        'test secret:revoke a ok',
        'test secret:rekey ok',
      ];
      await poll('all are there', () => audit.length >= expected.length);
      assert.deepEqual(
        audit.map(({ actor, action, resource, outcome }) =>
          [actor, action, ...(resource === 'a' ? ['a'] : []), outcome].join(' '),
        ),
        expected,
      );
      assert.equal(inspect(audit, { depth: 9 }).includes(VALUE), false);
    }));

  test('sums up a flood of refusals, and keeps what the bus does not take until it does', () => {
    const audited = { open: false };
    const careful = defineKernel({
      id: kernel.id,
      start: (ctx: KernelContext) => {
        const publish = ctx.bus.publish.bind(ctx.bus);
        ctx.bus.publish = (subject, ...rest) =>
          subject.startsWith('audit.') && !audited.open
            ? Promise.reject(new Error('no bus'))
            : publish(subject, ...rest);
        return kernel.start(ctx);
      },
    });
    return withVault(
      async ({ rig, call, as, audit }) => {
        await call('set', { name: 'a', value: VALUE });
        for (let i = 0; i < 50; i++) await assert.rejects(as('intruder', 'get', { name: 'a' }));
        await rig.restart('secret_manager');
        assert.deepEqual(audit, []);
        audited.open = true;
        await poll('all are there', async () => {
          const { audit: left } = await call<{ audit: { waiting: number } }>('status');
          return left.waiting === 0;
        });
        const refusals = audit.filter(({ outcome }) => outcome === 'FORBIDDEN');
        assert.equal(audit[0]!['action'], 'secret:set');
        assert.ok(refusals.length >= 10 && refusals.length < 50, `${refusals.length} records of 50 refusals`);
      },
      { definition: careful },
    );
  });
});

test('by the shipped access rules only who was let in can ask, nobody listens in, and it may do no more than it needs', async () => {
  const path = new URL('../../../../../configs/acl.yaml', import.meta.url);
  const acl = parseAcl(readFileSync(path, 'utf8'), 'configs/acl.yaml');
  const listed = {
    publish: { allow: ['kernel.secret_manager.call.get'], deny: [] },
    subscribe: { allow: [], deny: [] },
  };
  const withReader: AclDocument = { ...acl, principals: { ...acl.principals, reader: listed } };
  const others = ['librarian', 'trigger_mesh', 'scheduler', 'workload', 'chaos_test', 'somebody'];
  await withVault(
    async ({ rig, call, as }) => {
      await call('set', { name: 'a', value: VALUE });
      await call('grants', { add: { principal: 'reader', pattern: 'a', can: ['get'] } });
      assert.equal((await as<Got>('reader', 'get', { name: 'a' })).value, VALUE);
      for (const principal of others)
        await assert.rejects(as(principal, 'get', { name: 'a' }), { code: 'BUS_DENIED' }, principal);
      // The bus lets it ask for the key of its model; the vault grants name by name, and has granted it none.
      await assert.rejects(as('memory_fusion', 'get', { name: 'a' }), { code: 'FORBIDDEN' });
      const heard: unknown[] = [];
      const cli = rig.bus('cli');
      await cli.subscribe('>', ({ subject }) => void heard.push(subject)).catch(() => {});
      await as('reader', 'get', { name: 'a' });
      await call('rotate', { name: 'a' });
      await poll('the rotation is heard', () => heard.includes('kernel.secret_manager.event.rotated'));
      assert.equal(heard.includes('kernel.secret_manager.call.get'), false);
      const itself = rig.bus('secret_manager');
      for (const subject of [
        'task.x',
        'incident.x',
        'audit.librarian',
        'kernel.governance.call.approve',
        'kernel.librarian.call.search',
      ])
        await assert.rejects(itself.publish(subject, {}), { code: 'BUS_DENIED' }, subject);
    },
    { acl: withReader, listen: false },
  );
});
