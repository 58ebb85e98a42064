import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { DatabaseSync, StatementSync } from 'node:sqlite';
import { describe, mock, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parseAcl } from '@grace/contracts/config';
import { defineKernel, type KernelDefinition } from '@grace/kernel-sdk';
import { poll, rigKernels } from '@grace/testkit';
import clarity from '../clarity_framework/kernel.ts';
import memoryFusion from '../memory_fusion/kernel.ts';
import { addJob, ID, plan, remember, type Shown, spineWith, TWO, withSpine } from './fixtures/bench.ts';
import { parsePlan } from './plans/file.ts';

const CONFIGS = fileURLToPath(new URL('../../../../configs/', import.meta.url));

/** memory_fusion with one verb that answers something else. */
const lying = (verb: string, lie: (answer: unknown) => unknown): KernelDefinition =>
  defineKernel({
    id: 'memory_fusion',
    start: async (ctx) => {
      const made = await memoryFusion.start(ctx);
      const honest = made.verbs[verb]!;
      return { ...made, verbs: { ...made.verbs, [verb]: async (input, meta) => lie(await honest(input, meta)) } };
    },
  });

describe('the functional probe', () => {
  test('reaches a goal of two steps, and leaves nothing behind', () =>
    withSpine(async ({ rig, call, memories }) => {
      const before = ((await rig.call('governance', 'decisions', {})) as object[]).length;
      assert.deepEqual(await rig.probe(ID), { reached: true, steps: 2, takenBack: 1, plans: 1, goals: 0 });
      assert.deepEqual([await memories(), await call<object[]>('goals', {})], [0, []]);
      const after = ((await rig.call('governance', 'decisions', {})) as object[]).length;
      assert.equal(after, before, 'a probe is no decision on record');
    }));

  const lies: [string, KernelDefinition, RegExp][] = [
    [
      'nothing is found again',
      lying('recall', () => []),
      /compensated after 1: step recall was done, but not as it must be/,
    ],
    [
      'something else is found',
      lying('recall', (answer) => (answer as object[]).map((one) => ({ ...one, text: 'other' }))),
      /compensated after 1: step recall/,
    ],
    [
      'what was remembered is said to be known',
      lying('remember', (answer) => ({ ...(answer as object), known: true })),
      /after 0: step remember/,
    ],
  ];
  for (const [what, memory, complaint] of lies)
    test(`fails when ${what}`, () =>
      withSpine(async ({ rig }) => void (await assert.rejects(rig.probe(ID), complaint)), { memory }));

  test('fails when what is written is lost, and when it cannot be written', () =>
    withSpine(async ({ rig }) => {
      const lost = mock.method(StatementSync.prototype, 'run', () => ({ changes: 0, lastInsertRowid: 0 }));
      try {
        await assert.rejects(rig.probe(ID), { code: 'NOT_FOUND' });
      } finally {
        lost.mock.restore();
      }
      const db = new DatabaseSync(`${rig.stateDir(ID)}/store.sqlite`);
      db.exec("CREATE TRIGGER deaf BEFORE INSERT ON entry BEGIN SELECT RAISE(ABORT, 'deaf'); END");
      try {
        await assert.rejects(rig.probe(ID), /a goal of two steps is uncertain after 0: .*deaf/);
      } finally {
        db.exec('DROP TRIGGER deaf');
        db.close();
      }
      assert.equal(((await rig.probe(ID)) as { reached: boolean }).reached, true);
    }));

  test('fails while governance cannot be asked, and leaves nothing that waits', () =>
    withSpine(
      async ({ rig, call }) => {
        await assert.rejects(rig.probe(ID), /waiting_approval after 0: GOVERNANCE_UNREACHABLE/);
        const { open, waiting } = await call<{ open: number; waiting: number }>('status');
        assert.deepEqual([open, waiting], [0, 0]);
        assert.deepEqual(
          rig.logs.filter(({ kernel, level }) => kernel === ID && level === 'error'),
          [],
        );
      },
      { governed: false },
    ));

  test('passes when the policies do not let it act in its own name: that it stops is its job then', () =>
    withSpine(
      async ({ rig, memories }) => {
        const said = (await rig.probe(ID)) as { reached: boolean; reason: string };
        assert.deepEqual([said.reached, await memories()], [false, 0]);
        assert.match(said.reason, /^FORBIDDEN: .*spine_is_idle/);
      },
      {
        policies:
          '@id("spine_is_idle") forbid (principal == Principal::"agentic_spine", action == Action::"call_verb", resource);',
      },
    ));
});

describe('the choice of a plan', () => {
  const steps = [remember()];
  const plans = [
    plan({
      id: 'fetch',
      goal: { patterns: ['fetch {what...} from {place}'] },
      inputs: { what: {}, place: { type: 'name' } },
      steps,
    }),
    plan({ id: 'fetch_all', goal: { keywords: ['fetch', 'all'] }, steps }),
    plan({ id: 'fetch_late', goal: { keywords: ['fetch', 'late'] }, when: 'event != null && event.late', steps }),
    plan({
      id: 'fetch_more',
      goal: { keywords: ['fetch', 'all'] },
      inputs: { n: { type: 'number', from: '{{event.n}}' } },
      steps,
    }),
  ];

  test('is explained, with why the others were not taken, and is recorded as a decision', () =>
    withSpine(
      async ({ rig, call }) => {
        const goal = await call('submit', { goal: 'Fetch the big box from shelf_7', mode: 'step' });
        assert.deepEqual([goal.choice.plan, goal.input], ['fetch', { what: 'the big box', place: 'shelf_7' }]);
        assert.match(goal.choice.why, /reads as "fetch \{what\.\.\.\} from \{place\}"/);
        const not = Object.fromEntries(goal.choice.alternatives.map((one) => [one.plan, one.whyNot]));
        assert.match(not['fetch_all']!, /too little to do with the goal \(it speaks of fetch\)/);
        const decision = await poll('the decision', async () => {
          const said = await rig.call('clarity_framework', 'decisions', {});
          return (said as { decisions: { what: string; by: string; alternatives: object[] }[] }).decisions[0];
        });
        assert.deepEqual([decision.by, decision.alternatives.length], [ID, 3]);
        assert.match(decision.what, /^plan fetch for: Fetch the big box/);
      },
      { plans, others: [clarity] },
    ));

  test('heeds conditions and inputs, and says what is missing', () =>
    withSpine(
      async ({ call }) => {
        const late = await call<{ plan: string }>('plan', { goal: 'fetch it late', event: { late: true } });
        assert.equal(late.plan, 'fetch_late');
        const more = await call<Shown['choice']>('plan', { goal: 'fetch all', event: { n: 3 } });
        assert.deepEqual(
          [more.plan, more.alternatives.find((one) => one.plan === 'fetch_more')?.whyNot],
          ['fetch_all', 'it fits as well as fetch_all, which comes first by name'],
        );
        await assert.rejects(call('plan', { goal: 'fetch it late' }), {
          code: 'NOT_FOUND',
          message: /plan fetch_late does not apply now: event != null && event\.late is not so/,
        });
        await assert.rejects(call('plan', { goal: 'sing a song' }), {
          code: 'NOT_FOUND',
          message: /plans: fetch, fetch_all/,
        });
        await assert.rejects(call('plan', { goal: 'fetch_al' }), {
          code: 'NOT_FOUND',
          message: /did you mean "fetch_all"/,
        });
        await assert.rejects(call('plan', { goal: 'fetch_more' }), {
          code: 'BAD_INPUT',
          message: /plan fetch_more needs a number/,
        });
        await assert.rejects(call('plan', { goal: 'fetch_more', input: { m: 1 } }), {
          code: 'BAD_INPUT',
          message: /no input "m".*"n"/,
        });
        await assert.rejects(call('plan', { goal: 'fetch_more', input: { n: 'many' } }), {
          code: 'BAD_INPUT',
          message: /a number, got "many"/,
        });
      },
      { plans },
    ));

  test('knows how the system is, and plans without what it cannot find out', () => {
    const status = {
      kernels: [
        { id: 'a', state: 'running' },
        { id: 'b', state: 'failed' },
      ],
    };
    const when = 'context.kernels.available && "b" in context.kernels.down && size(context.incidents.open) == 1';
    return withSpine(
      async ({ call }) => {
        const { context } = await call<{ context: object }>('plan', { goal: 'help' });
        assert.deepEqual(context, {
          kernels: { available: true, total: 2, running: ['a'], down: ['b'] },
          incidents: {
            available: true,
            open: [{ id: 'i', kind: 'kernel_crash', subject: 'b', severity: 'major' }],
            more: 0,
          },
        });
        await assert.rejects(call('plan', { goal: 'ask' }), {
          code: 'UNKNOWN_VERB',
          message: /scheduler has no verb "add".*"adds"/,
        });
      },
      {
        plans: [
          plan({ id: 'help', when, goal: { keywords: ['help'] }, steps }),
          plan({ id: 'ask', steps: [remember(), addJob()] }),
        ],
        commands: (_, command, input) => {
          if (command === 'status') return status;
          if (command === 'verbs') return (input as { kernel: string }).kernel === 'scheduler' ? ['adds'] : [];
          return [
            { id: 'i', kind: 'kernel_crash', subject: 'b', severity: 'major' },
            { id: 'j', kind: 'kernel_crash', subject: 'b', severity: 'major', closedMono: 4 },
          ];
        },
      },
    );
  });
});

describe('submitting', () => {
  test('again with the same key is the same goal', () =>
    withSpine(async ({ as, call }) => {
      const given = { goal: 'two', mode: 'step', key: 'order-1' };
      const goals = await Promise.all([call('submit', given), call('submit', given), call('submit', given)]);
      assert.deepEqual(
        [new Set(goals.map(({ id }) => id)).size, goals.filter(({ repeated }) => repeated).length],
        [1, 2],
      );
      await assert.rejects(call('submit', { ...given, mode: 'run' }), { code: 'CONFLICT' });
      assert.notEqual((await as('scheduler', 'submit', given)).id, goals[0]!.id, 'a key is its submitter’s own');
    }));

  test('has bounds: goals that are open, and goals that begin goals', () =>
    withSpine(async ({ rig, as }) => {
      for (let i = 0; i < 100; i++) await as('trigger_mesh', 'submit', { goal: 'two', mode: 'step' });
      await assert.rejects(as('trigger_mesh', 'submit', { goal: 'two' }), {
        code: 'CONFLICT',
        message: /has 100 open goals/,
      });
      const client = rig.bus('scheduler');
      const submit = () =>
        client.request(
          `kernel.${ID}.call.submit`,
          { goal: 'two', mode: 'step' },
          { correlation: 'one-cause', deadlineMs: 60_000 },
        );
      for (let i = 0; i < 8; i++) await submit();
      await assert.rejects(submit(), { code: 'CONFLICT', message: /goals that begin goals are cut here/ });
    }));
});

describe('bad input', () => {
  const circle: Record<string, unknown> = {};
  circle['self'] = circle;
  const cases: [string, unknown, string][] = [
    ['submit', {}, 'BAD_INPUT'],
    ['submit', { goal: 7 }, 'BAD_INPUT'],
    ['submit', { goal: '   ' }, 'BAD_INPUT'],
    ['submit', { goal: 'x'.repeat(2001) }, 'TOO_LARGE'],
    ['submit', { goal: 'two', mode: 'walk' }, 'BAD_INPUT'],
    ['submit', { goal: 'two', event: 'x' }, 'BAD_INPUT'],
    ['submit', { goal: 'two', event: circle }, 'BAD_INPUT'],
    ['submit', { goal: 'two', event: { x: 'x'.repeat(20_000) } }, 'TOO_LARGE'],
    ['submit', { goal: 'two', input: { x: 1 } }, 'BAD_INPUT'],
    ['submit', { goal: 'two', waitMs: -1 }, 'BAD_INPUT'],
    ['submit', { goal: 'two', key: '' }, 'BAD_INPUT'],
    ['submit', { goal: 'two', plan: 'two' }, 'BAD_INPUT'],
    ['submit', { goal: '__proto__' }, 'NOT_FOUND'],
    ['submit', { goal: "'; DROP TABLE goal; --" }, 'NOT_FOUND'],
    ['plan', { goal: '{{input.x}} ../../etc' }, 'NOT_FOUND'],
    ['plan', { goal: ['two'] }, 'BAD_INPUT'],
    ['step', {}, 'BAD_INPUT'],
    ['step', { id: 'goal-none' }, 'NOT_FOUND'],
    ['step', { id: 'x'.repeat(100) }, 'BAD_INPUT'],
    ['abort', { id: 'probe-none' }, 'NOT_FOUND'],
    ['abort', { id: 'goal-none', reason: 'x'.repeat(301) }, 'BAD_INPUT'],
    ['goals', { state: 'begun' }, 'BAD_INPUT'],
    ['submit', { goal: 'two', event: { password: 'hunter2' } }, 'BAD_INPUT'],
    ['plan', { goal: 'two with token=0123456789abcdef' }, 'BAD_INPUT'],
    ['goals', { limit: 0 }, 'BAD_INPUT'],
    ['goals', { id: 'goal-none' }, 'NOT_FOUND'],
    ['plans', { id: 'tow' }, 'NOT_FOUND'],
    ['status', { x: 1 }, 'BAD_INPUT'],
  ];
  test('to any verb is refused with a code and changes nothing', () =>
    withSpine(async ({ call, memories }) => {
      for (const [i, [verb, input, code]] of cases.entries())
        await assert.rejects(call(verb, input), { code }, `${i}: ${verb}`);
      const { id } = await call('submit', { goal: 'two', mode: 'step' });
      await assert.rejects(call('step', { id, happened: true }), { code: 'CONFLICT' });
      assert.deepEqual([await memories(), (await call<object[]>('goals')).length], [0, 1]);
    }));
});

test('the access rules grant what the plans of the product call, and what they do not grant is denied', async () => {
  const acl = parseAcl(readFileSync(`${CONFIGS}acl.yaml`, 'utf8'), 'configs/acl.yaml');
  const plans = readdirSync(`${CONFIGS}plans`).map((file) =>
    parsePlan(readFileSync(`${CONFIGS}plans/${file}`, 'utf8'), file),
  );
  const rig = await rigKernels([spineWith([TWO])], { acl });
  try {
    const client = rig.bus(ID);
    const calls = plans.flatMap(({ steps, post }) => [
      ...steps.flatMap(({ call, compensate, verify }) => [call, compensate, verify?.call ?? null]),
      post?.call ?? null,
    ]);
    for (const call of calls.filter((one) => one !== null)) {
      const kernel = call.kernel.includes('{{') ? 'librarian' : call.kernel;
      await assert.rejects(
        client.request(`kernel.${kernel}.call.${call.verb}`, {}),
        { code: 'BUS_NO_RESPONDERS' },
        `${kernel}.${call.verb}`,
      );
    }
    for (const call of [
      'governance.call.approve',
      'governance.call.permit',
      'secret_manager.call.get',
      'secret_manager.call.status',
    ])
      await assert.rejects(client.publish(`kernel.${call}`, {}), { code: 'BUS_DENIED' }, call);
    for (const call of [
      'message_bus.call.permit',
      `${ID}.call.submit`,
      'sandbox.call.execute',
      'immutable_log.call.append',
    ])
      await assert.rejects(client.publish(`kernel.${call}`, {}), { code: 'BUS_DENIED' }, call);
    for (const subject of ['task.x', 'incident.x', 'audit.governance', 'system.events.kernel.ready'])
      await assert.rejects(client.publish(subject, {}), { code: 'BUS_DENIED' }, subject);
  } finally {
    await rig.close();
  }
});
