import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parseAcl } from '@grace/contracts/config';
import type { KernelContext } from '@grace/kernel-sdk';
import { poll } from '@grace/testkit';
import { change, isCoded, playbook, withGovernance } from './fixtures/governance-rig.ts';

describe('governance decides', () => {
  test('by the policies of the product: permit, forbid and needs approval, each with the ids of its policies', () =>
    withGovernance(async (rig) => {
      const permit = await rig.as('self_healing', 'decide', playbook('kernel_heartbeat_gap'));
      assert.deepEqual([permit.outcome, permit.policies], ['permit', ['repairers_run_playbooks']]);
      const forbid = await rig.as('self_healing', 'decide', playbook('widen', ['verb:message_bus.permit']));
      assert.deepEqual([forbid.outcome, forbid.policies], ['forbid', ['repair_never_widens_access']]);
      const asked = await rig.as('coding_agent', 'decide', change('task-1', { verified: true }));
      assert.deepEqual([asked.outcome, asked.policies], ['needs_approval', ['acts_after_approval']]);
      const nobody = await rig.as('voice_conversation', 'decide', { action: 'revert_change', resource: 'x' });
      assert.deepEqual([nobody.outcome, nobody.policies, nobody.reason], ['forbid', [], 'no policy permits it']);
      for (const { id } of [permit, forbid, asked, nobody]) assert.match(id, /^dec-/);
    }));

  test('for others only when the caller may ask for them', () =>
    withGovernance(async (rig) => {
      const secret = { action: 'read_secret', resource: 'mail' };
      const outside = await rig.as('secret_manager', 'decide', { ...secret, principal: 'chaos_test' });
      assert.deepEqual([outside.outcome, outside.policies], ['forbid', ['outsiders_read_no_secrets']]);
      assert.equal((await rig.as('secret_manager', 'decide', { ...secret, principal: 'librarian' })).outcome, 'permit');
      const asOther = rig.as('librarian', 'decide', { ...secret, principal: 'cli' });
      await assert.rejects(asOther, isCoded('FORBIDDEN', /asks for itself/));
    }));

  test('and every decision reaches the audit record once, one by one or many together', () =>
    withGovernance(async (rig) => {
      const acts: { id?: string }[] = [];
      await rig.bus('record').subscribe('audit.governance', ({ payload }) => {
        const { payload: content } = payload as { payload: { id?: string; acts?: { id: string }[] } };
        acts.push(...(content.acts ?? [content]));
      });
      const few = [await rig.as('self_healing', 'decide', playbook('one'))];
      const many = await Promise.all(
        Array.from({ length: 150 }, (_, i) => rig.as('self_healing', 'decide', playbook(`p${i}`))),
      );
      await poll('all decisions in the record', () => acts.length >= 151);
      assert.deepEqual(acts.map(({ id }) => id).sort(), [...few, ...many].map(({ id }) => id).sort());
      const [kept] = (await rig.as('cli', 'decisions', { id: many[3]!.id })) as never as Record<string, unknown>[];
      assert.deepEqual(
        [kept?.['actor'], kept?.['policies'], kept?.['asker']],
        ['self_healing', ['repairers_run_playbooks'], 'self_healing'],
      );
    }));

  test('and decisions that the record did not take go there after a restart', () => {
    let isDeaf = true;
    return withGovernance(
      async (rig) => {
        const heard: unknown[] = [];
        await rig.bus('record').subscribe('audit.governance', ({ payload }) => void heard.push(payload));
        const { id } = await rig.as('self_healing', 'decide', playbook('one'));
        isDeaf = false;
        await rig.restart('governance');
        await poll('the decision of before', () => JSON.stringify(heard).includes(id));
        assert.equal(heard.length, 1);
      },
      {
        change: (ctx) => ({
          bus: {
            ...ctx.bus,
            connected: true,
            publish: async (...args) => (isDeaf ? Promise.reject(new Error('deaf')) : ctx.bus.publish(...args)),
          } as KernelContext['bus'],
        }),
      },
    );
  });
});

describe('bad inputs are refused with a code', () => {
  const circle: Record<string, unknown> = { target: 'x', acts: [] };
  circle['incident'] = circle;
  const deep = { target: 'x', acts: [[[[[['x']]]]]] };
  const cases: [string, string, unknown, string, RegExp][] = [
    [
      'an unknown action',
      'decide',
      { action: 'run_playbok', resource: 'x' },
      'BAD_INPUT',
      /did you mean "run_playbook"/,
    ],
    [
      'an action of the prototype',
      'decide',
      { action: 'constructor', resource: 'x' },
      'BAD_INPUT',
      /there is no action/,
    ],
    ['no resource', 'decide', { action: 'read_secret' }, 'BAD_INPUT', /input\.resource/],
    ['a resource too long', 'decide', { action: 'read_secret', resource: 'x'.repeat(513) }, 'BAD_INPUT', /1 to 512/],
    [
      'half a surrogate pair',
      'decide',
      { action: 'read_secret', resource: 'a\ud800' },
      'BAD_INPUT',
      /whole characters/,
    ],
    [
      'an unknown field',
      'decide',
      { action: 'read_secret', resource: 'x', contxt: {} },
      'BAD_INPUT',
      /did you mean "context"/,
    ],
    [
      'approved said by the asker',
      'decide',
      { ...change('x', { approved: true }) },
      'BAD_INPUT',
      /set by governance alone/,
    ],
    ['a field the action has not', 'decide', { ...change('x', { fils: [] }) }, 'BAD_INPUT', /did you mean "files"/],
    [
      'a field of the wrong type',
      'decide',
      { ...change('x', { lines: 'many' }) },
      'BAD_INPUT',
      /does not fit the schema/,
    ],
    ['a fraction', 'decide', { ...change('x', { lines: 1.5 }) }, 'BAD_INPUT', /a whole number/],
    [
      'a field left out',
      'decide',
      { action: 'run_playbook', resource: 'x', context: { target: 'y' } },
      'BAD_INPUT',
      /context\.acts: expected a value/,
    ],
    [
      'an entity in disguise',
      'decide',
      { ...change('x', { kind: { __entity: { type: 'Role', id: 'operator' } } }) },
      'BAD_INPUT',
      /begin with "__"/,
    ],
    ['a circle', 'decide', { action: 'run_playbook', resource: 'x', context: circle }, 'BAD_INPUT', /without circles/],
    ['nesting', 'decide', { action: 'run_playbook', resource: 'x', context: deep }, 'BAD_INPUT', /at most 5 levels/],
    [
      'a context too large',
      'decide',
      { ...change('x', { kind: 'x'.repeat(20_000) }) },
      'TOO_LARGE',
      /at most 16384 bytes/,
    ],
    [
      'too many values',
      'decide',
      { ...change('x', { files: Array.from({ length: 300 }, String) }) },
      'BAD_INPUT',
      /at most 256/,
    ],
    [
      'a map for a context',
      'decide',
      { action: 'read_secret', resource: 'x', context: new Map() },
      'BAD_INPUT',
      /a plain object/,
    ],
    ['a request that never ends', 'request', { ...change('x'), expiresMs: Infinity }, 'BAD_INPUT', /expiresMs/],
    ['an unknown request', 'approve', { id: 'apr-none' }, 'NOT_FOUND', /no request "apr-none"/],
    ['a state there is not', 'approvals', { state: 'pendign' }, 'BAD_INPUT', /did you mean "pending"/],
    ['an unknown version', 'simulate', { ...change('x'), version: 'abc' }, 'NOT_FOUND', /no version/],
    [
      'a file name that leads elsewhere',
      'simulate',
      { ...change('x'), files: [{ name: '../x.cedar', text: '' }] },
      'BAD_INPUT',
      /a file name/,
    ],
    ['a permit for no time', 'permit', { holder: 'x', faults: [], forMs: 0, armed: true }, 'BAD_INPUT', /forMs/],
    ['an unknown decision', 'decisions', { id: 'dec-0' }, 'NOT_FOUND', /no decision/],
  ];
  test('each for its own reason, and nothing else is disturbed', () =>
    withGovernance(async (rig) => {
      for (const [what, verb, input, code, message] of cases) {
        await assert.rejects(rig.as('cli', verb, input), isCoded(code, message), what);
      }
      await rig.probe('governance');
    }));

  test('ids are data, whatever they hold', () =>
    withGovernance(async (rig) => {
      for (const resource of [
        '"',
        '\\',
        '"}; permit(principal,action,resource);',
        'a\nb\u0000c',
        '\u202e',
        'Secret::"x"',
        '__proto__',
        '😀',
      ]) {
        assert.equal(
          (await rig.as('chaos_test', 'decide', { action: 'read_secret', resource })).outcome,
          'forbid',
          JSON.stringify(resource),
        );
        const asked = await rig.as('coding_agent', 'request', change(resource));
        assert.equal(asked.outcome, 'needs_approval');
        const [kept] = (await rig.as('cli', 'decisions', { id: asked.id })) as never as { resource: string }[];
        assert.equal(kept?.resource, resource);
      }
    }));
});
describe('on the bus, under the rules of the product', () => {
  const file = fileURLToPath(new URL('../../../../configs/acl.yaml', import.meta.url));
  const acl = parseAcl(readFileSync(file, 'utf8'), 'acl.yaml');

  test('self_healing may ask and nothing else, librarian may not even ask, and governance speaks to the record alone', () => {
    let inside: KernelContext | undefined;
    return withGovernance(
      async (rig) => {
        assert.equal((await rig.as('self_healing', 'request', playbook('gap'))).outcome, 'permit');
        for (const verb of ['approve', 'reload', 'permit', 'decide']) {
          await assert.rejects(rig.as('self_healing', verb, {}), isCoded('BUS_DENIED'), verb);
        }
        await assert.rejects(rig.as('librarian', 'request', playbook('gap')), isCoded('BUS_DENIED'));
        await inside!.bus.publish('audit.governance', {});
        for (const subject of [
          'audit.self_healing',
          'task.review',
          'kernel.message_bus.call.permit',
          'system.events.x.y',
        ]) {
          await assert.rejects(inside!.bus.publish(subject, {}), isCoded('BUS_DENIED'), subject);
        }
      },
      {
        acl,
        change: (ctx) => {
          inside = ctx;
          return {};
        },
      },
    );
  });
});

describe('the probe', () => {
  test('permits, forbids and asks, and leaves nothing behind', () =>
    withGovernance(async (rig) => {
      for (let i = 0; i < 3; i++) assert.deepEqual((await rig.probe('governance'))['live'], ['permit', 'forbid']);
      assert.deepEqual(await rig.as('cli', 'decisions'), []);
    }));

  test('passes as often as it is asked at the same time', () =>
    withGovernance(async (rig) => {
      await Promise.all(Array.from({ length: 8 }, () => rig.probe('governance')));
    }));

  const breakages: [string, (ctx: KernelContext) => void, RegExp][] = [
    [
      'the policies in the store are not those that decide',
      (ctx) => ctx.store.set('policies in force', 'other'),
      /the store has no policies/,
    ],
    [
      'a policy in the store says something else',
      (ctx) =>
        void ctx.store.db.exec(
          `UPDATE version SET body = replace(body, 'Probe::\\"forbidden\\"', 'Probe::\\"elsewhere\\"')`,
        ),
      /"forbidden" was decided "forbid" \(forbidden by probe_is_refused\), but the policies in the store say/,
    ],
    [
      'nothing can be written',
      (ctx) => void ctx.store.db.exec("CREATE TRIGGER full BEFORE INSERT ON kv BEGIN SELECT RAISE(ABORT, 'full'); END"),
      /full/,
    ],
  ];
  for (const [what, damage, message] of breakages) {
    test(`fails when ${what}`, () => {
      let inside: KernelContext | undefined;
      return withGovernance(
        async (rig) => {
          await rig.probe('governance');
          damage(inside!);
          await assert.rejects(rig.probe('governance'), message);
        },
        {
          change: (ctx) => {
            inside = ctx;
            return {};
          },
        },
      );
    });
  }
});
