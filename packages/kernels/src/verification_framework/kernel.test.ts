import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, mock, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parseAcl } from '@grace/contracts/config';
import { poll, rigKernels } from '@grace/testkit';
import { Environment } from '@marcbachmann/cel-js';
import { ID, shopFact, withVerification } from './fixtures/bench.ts';
import type { Violation } from './invariants/book.ts';
import kernel from './kernel.ts';
import type { Result } from './verdict/judge.ts';

const stocked = (more: object = {}) => ({
  rule: {
    id: 'stocked',
    title: 'There is stock',
    kind: 'invariant',
    every: '500ms',
    facts: shopFact,
    expect: 'shop.stock > 0',
    show: 'shop.stock',
    ...more,
  },
});

describe('the functional probe', () => {
  test('finds what holds, what is broken and what cannot be told', () =>
    withVerification(async ({ rig }) => {
      assert.deepEqual(await rig.probe(ID), { holds: 1, broken: 1, unknown: 2, rules: 0 });
    }));

  for (const [what, answer, complaint] of [
    ['says yes to everything', true, /must be broken was called holds/],
    ['says no to everything', false, /must be holds was called broken/],
    ['answers nothing', undefined, /must be holds was called unknown/],
  ] as const)
    test(`fails when the engine ${what}`, () =>
      withVerification(async ({ rig }) => {
        const program = Object.assign(() => answer, { ast: null, check: () => ({ valid: true, type: 'bool' }) });
        const broken = mock.method(Environment.prototype, 'parse', () => program);
        try {
          await assert.rejects(rig.probe(ID), complaint);
        } finally {
          broken.mock.restore();
        }
        await rig.probe(ID);
      }));
});

describe('a rule', () => {
  test('is checked now, with the facts it rests on', () =>
    withVerification(async ({ call, shop }) => {
      await call('define', stocked());
      const check = () => call<Result>('check', { id: 'stocked' });
      const holds = await check();
      assert.deepEqual([holds.verdict, holds.shown], ['holds', 5]);
      assert.deepEqual(structuredClone(holds.facts['shop']!.value), { stock: 5, list: [1, 2, 3] });
      shop.stock = 0;
      assert.equal((await check()).verdict, 'broken');
      shop.stock = Number.NaN;
      assert.match((await check()).reason, /shop is missing .* holds NaN, which cannot be compared/);
      shop.stock = 'many';
      assert.match((await check()).reason, /^it could not be evaluated/);
      shop.failing = true;
      const missing = await check();
      assert.deepEqual([missing.verdict, missing.facts['shop']!.missing], ['unknown', 'INTERNAL: closed']);
    }));

  test('whose fact comes too late, or from nobody, is unknown', () =>
    withVerification(
      async ({ call }) => {
        const late = { facts: { f: { call: { kernel: 'shop', verb: 'hang' }, within: 50 } }, expect: 'true' };
        const nobody = { facts: { f: { call: { kernel: 'nobody', verb: 'status' } } }, expect: 'true' };
        for (const more of [late, nobody]) {
          const { verdict, reason } = await call<Result>('check', stocked({ ...more, show: undefined }));
          assert.deepEqual([verdict, /^f is missing/.test(reason)], ['unknown', true], reason);
        }
      },
      { config: { [ID]: { reads: ['shop.hang'] } } },
    ));

  test('about a call is tried by hand with what it would see', () =>
    withVerification(async ({ call }) => {
      const rule = {
        id: 'sold',
        kind: 'post',
        facts: shopFact,
        expect: 'before.shop.stock - input.n == shop.stock && answer.sold == input.n',
      };
      const tried = { input: { n: 1 }, answer: { sold: 1 }, before: { shop: { stock: 6 } } };
      assert.equal((await call<Result>('check', { rule, with: tried })).verdict, 'holds');
      assert.equal((await call<Result>('check', { rule })).verdict, 'unknown');
    }));

  test('survives a restart, and is gone when it was removed', () =>
    withVerification(async ({ rig, call }) => {
      assert.equal((await call('define', stocked()))['replaced'], false);
      await rig.restart(ID);
      assert.equal((await call('define', stocked({ title: 'other' })))['replaced'], true);
      await call('remove', { id: 'stocked' });
      await rig.restart(ID);
      assert.deepEqual(await call('rules'), []);
    }));

  test('of the file stays as it is there', () => {
    const file = fileURLToPath(new URL('../../../../configs/invariants.yaml', import.meta.url));
    return withVerification(
      async ({ call }) => {
        await assert.rejects(call('remove', { id: 'disk_has_room' }), { code: 'CONFLICT' });
        await assert.rejects(call('define', stocked({ id: 'disk_has_room' })), { code: 'CONFLICT' });
        // The rig answers for no supervisor and hosts none of the kernels asked: nothing is known, so nothing holds.
        const { invariants } = await call<{ invariants: { verdict: string }[] }>('invariants');
        assert.ok(invariants.length > 5);
        assert.deepEqual([...new Set(invariants.map(({ verdict }) => verdict))], ['unknown']);
      },
      { config: { [ID]: { invariants: file } } },
    );
  });

  test('over the supervisor tells a quarantine with an incident from one without', () => {
    const file = fileURLToPath(new URL('../../../../configs/invariants.yaml', import.meta.url));
    const incidents: object[] = [];
    const kernels = [{ id: 'librarian', quarantined: true, state: 'quarantined', lastProbe: null }];
    return withVerification(
      async ({ call }) => {
        const verdict = async () => await call<Result>('check', { id: 'quarantine_has_incident' });
        const broken = await verdict();
        assert.deepEqual([broken.verdict, broken.shown], ['broken', ['librarian']]);
        incidents.push({ id: 'i', kind: 'quarantine', subject: 'librarian', openedWall: 1, closedMono: 5 });
        assert.equal((await verdict()).verdict, 'broken', 'an incident that is closed is no open one');
        incidents.push({ id: 'j', kind: 'quarantine', subject: 'librarian', openedWall: 1 });
        assert.equal((await verdict()).verdict, 'holds');
      },
      {
        config: { [ID]: { invariants: file } },
        commands: (_, command) => (command === 'status' ? { kernels } : incidents),
      },
    );
  });
});

describe('an invariant', () => {
  test('that is broken begins a violation, which is told and ends when it holds, over a restart in between', () =>
    withVerification(async ({ rig, call, shop }) => {
      const news: { state: string; rule: string }[] = [];
      const audit: { action: string }[] = [];
      const ear = rig.bus('ear');
      await ear.subscribe(`kernel.${ID}.event.violation`, ({ payload }) => void news.push(payload as never));
      await ear.subscribe('audit.>', ({ payload }) => void audit.push(payload as never));
      await call('define', stocked());
      shop.stock = 0;
      await poll('the violation', () => news.length > 0);
      const open = async () => await call<Violation[]>('violations', { open: true });
      const [violation] = await open();
      assert.deepEqual(
        [violation!.rule, violation!.title, violation!.evidence.shown],
        ['stocked', 'There is stock', 0],
      );
      shop.failing = true;
      await rig.restart(ID);
      const last = async () =>
        (await call<{ invariants: { verdict: string; violated: boolean }[] }>('invariants', { id: 'stocked' }))
          .invariants[0]!;
      await poll('a look after the restart', async () => {
        const { invariants } = await call<{ invariants: { atMs: number | null }[] }>('invariants', { id: 'stocked' });
        return invariants[0]!.atMs !== null;
      });
      assert.deepEqual(
        [(await last()).verdict, (await last()).violated],
        ['unknown', true],
        'what cannot be told ends nothing',
      );
      shop.failing = false;
      shop.stock = 1;
      await poll('its end', () => news.length > 1);
      assert.deepEqual(
        news.map(({ state }) => state),
        ['began', 'ended'],
      );
      await poll('the record', () => audit.length > 1);
      assert.deepEqual(
        audit.map(({ action }) => action),
        ['violation began', 'violation ended'],
      );
      assert.deepEqual(await open(), []);
      const [ended] = await call<Violation[]>('violations', { rule: 'stocked', since: violation!.beganMs });
      assert.deepEqual([ended!.id, ended!.ending], [violation!.id, 'it holds again']);
      assert.deepEqual(await call('violations', { until: violation!.beganMs - 1 }), []);
      const { history } = await call<{ history: { to: string }[] }>('invariants', { id: 'stocked' });
      assert.equal(history[0]!.to, 'holds');
      assert.ok(history.some(({ to }) => to === 'broken'));
    }));

  test('that is removed takes its violation with it', () =>
    withVerification(async ({ call, shop }) => {
      shop.stock = 0;
      await call('define', stocked({ after: 1 }));
      await call('check', { id: 'stocked' });
      assert.equal((await call<Violation[]>('violations', { open: true })).length, 1);
      await call('remove', { id: 'stocked' });
      const [ended] = await call<Violation[]>('violations');
      assert.equal(ended!.ending, 'the rule was removed');
    }));
});

describe('bad input', () => {
  const circle: Record<string, unknown> = {};
  circle['self'] = circle;
  const action = { kernel: 'shop', verb: 'sell', input: { n: 1 } };
  const cases: [string, unknown, string][] = [
    ['define', {}, 'BAD_INPUT'],
    ['define', { rule: 'x' }, 'BAD_INPUT'],
    ['define', { rule: circle }, 'BAD_INPUT'],
    ['define', stocked({ id: 'Not An Id' }), 'BAD_INPUT'],
    ['define', stocked({ expect: 'shop.stock >' }), 'BAD_INPUT'],
    ['define', stocked({ expect: 'shpo.stock > 0' }), 'BAD_INPUT'],
    ['define', stocked({ every: '1ms' }), 'BAD_INPUT'],
    ['define', stocked({ facts: { f: { call: { kernel: 'shop', verb: 'sell' } } } }), 'BAD_INPUT'],
    ['define', stocked({ facts: { f: { path: '../x', supervisor: 'status' } } }), 'BAD_INPUT'],
    ['define', stocked({ expect: 'x'.repeat(40_000) }), 'TOO_LARGE'],
    ['remove', { id: 'nothing' }, 'NOT_FOUND'],
    ['rules', { id: '__proto__' }, 'NOT_FOUND'],
    ['check', {}, 'BAD_INPUT'],
    ['check', { id: 'a', rule: {} }, 'BAD_INPUT'],
    ['check', { id: 'nothing' }, 'NOT_FOUND'],
    ['check', { ...stocked(), with: { input: circle } }, 'BAD_INPUT'],
    ['check', { ...stocked(), with: { inputs: 1 } }, 'BAD_INPUT'],
    ['around', {}, 'BAD_INPUT'],
    ['around', { action }, 'BAD_INPUT'],
    ['around', { action, pre: [7] }, 'BAD_INPUT'],
    ['around', { action, pre: ['nothing'] }, 'NOT_FOUND'],
    ['around', { action, pre: [{ expect: 'answer == 1' }] }, 'BAD_INPUT'],
    ['around', { action: { ...action, kernel: ID }, pre: [{ expect: 'true' }] }, 'BAD_INPUT'],
    ['around', { action: { ...action, kernel: '../shop' }, pre: [{ expect: 'true' }] }, 'BAD_INPUT'],
    ['around', { action: { ...action, input: circle }, pre: [{ expect: 'true' }] }, 'BAD_INPUT'],
    ['around', { action: { ...action, input: { x: 'x'.repeat(70_000) } }, pre: [{ expect: 'true' }] }, 'TOO_LARGE'],
    ['around', { action: { ...action, deadlineMs: 1e9 }, pre: [{ expect: 'true' }] }, 'BAD_INPUT'],
    ['around', { action, pre: [{ expect: 'true' }], compensate: { ...action, on: ['kept'] } }, 'BAD_INPUT'],
    ['runs', { limit: -1 }, 'BAD_INPUT'],
    ['invariants', { id: 'nothing' }, 'NOT_FOUND'],
    ['violations', { since: 5, until: 1 }, 'BAD_INPUT'],
    ['violations', { open: 'yes' }, 'BAD_INPUT'],
    ['status', { x: 1 }, 'BAD_INPUT'],
  ];
  test('to any verb is refused with a code and changes nothing', () =>
    withVerification(async ({ call, shop }) => {
      for (const [i, [verb, input, code]] of cases.entries())
        await assert.rejects(call(verb, input), { code }, `${i}: ${verb}`);
      assert.deepEqual([await call('rules'), await call('runs'), shop.asked], [[], [], []]);
    }));
});

test('what the access rules do not grant is denied', async () => {
  const file = fileURLToPath(new URL('../../../../configs/acl.yaml', import.meta.url));
  const rig = await rigKernels([kernel], { acl: parseAcl(readFileSync(file, 'utf8'), 'configs/acl.yaml') });
  try {
    const client = rig.bus(ID);
    for (const call of [
      'secret_manager.call.get',
      'governance.call.approve',
      'message_bus.call.permit',
      'immutable_log.call.append',
    ])
      await assert.rejects(client.publish(`kernel.${call}`, {}), { code: 'BUS_DENIED' }, call);
    for (const subject of [
      'task.x',
      'incident.x',
      'audit.governance',
      'system.events.kernel.ready',
      'kernel.librarian.event.x',
    ])
      await assert.rejects(client.publish(subject, {}), { code: 'BUS_DENIED' }, subject);
    await assert.rejects(
      client.subscribe('system.events.>', () => {}),
      { code: 'BUS_DENIED' },
    );
  } finally {
    await rig.close();
  }
});
