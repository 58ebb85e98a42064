import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import type { GraceError } from '@grace/contracts';
import { defineKernel, type KernelDefinition } from '@grace/kernel-sdk';
import { type KernelRig, poll, rigKernels } from '@grace/testkit';
import { permitsAll } from './fixtures/permits-all.ts';
import kernel from './kernel.ts';

/** Counts what comes on a pattern. */
async function listen(rig: KernelRig, pattern: string) {
  const seen: { subject: string; payload: unknown; correlation: string | undefined }[] = [];
  await rig
    .bus('listener')
    .subscribe(pattern, ({ subject, payload, correlation }) => void seen.push({ subject, payload, correlation }));
  return seen;
}
const define = (rig: KernelRig, definition: Record<string, unknown>) => rig.call('trigger_mesh', 'define', definition);
const note = (subject: string, payload: unknown = {}) => [{ publish: { subject, payload } }];
type Fired = { rule: string; outcome: string; detail: string; deeds: { ok: boolean; error?: string }[] };
const fired = async (rig: KernelRig, limit = 100) => (await rig.call('trigger_mesh', 'fired', { limit })) as Fired[];
type Shown = {
  id: string;
  enabled: boolean;
  counts: Record<string, number>;
  lastError: string | null;
  circuit: { state: string };
};
const shown = async (rig: KernelRig, id: string) => ((await rig.call('trigger_mesh', 'rules', { id })) as Shown[])[0]!;

async function withRig(
  work: (rig: KernelRig) => Promise<void>,
  options: Parameters<typeof rigKernels>[1] = {},
  definition: KernelDefinition = kernel,
) {
  const rig = await rigKernels([permitsAll, definition], options);
  try {
    await work(rig);
  } finally {
    await rig.close();
  }
}

type Context = Parameters<KernelDefinition['start']>[0];

/** The kernel with something in its bus broken. */
const broken = (breakIt: (bus: Context['bus']) => Partial<Context['bus']>) =>
  defineKernel({
    id: kernel.id,
    start: ({ bus, ...ctx }) =>
      kernel.start({
        ...ctx,
        bus: {
          connected: true,
          publish: (...args) => bus.publish(...args),
          subscribe: (...args) => bus.subscribe(...args),
          request: (...args) => bus.request(...args),
          close: () => bus.close(),
          counters: () => bus.counters(),
          ...breakIt(bus),
        },
      }),
  });

describe('trigger_mesh', () => {
  test('its probe plants an event and cuts a cascade, again and again, and leaves nothing behind', () =>
    withRig(async (rig) => {
      for (let i = 0; i < 5; i++) {
        const seen = await rig.probe('trigger_mesh');
        assert.deepEqual([seen['fired'], seen['cascade'], seen['cut'], seen['rules']], [1, 3, 1, 0]);
      }
      assert.deepEqual(await fired(rig), []);
      const status = (await rig.call('trigger_mesh', 'status')) as { subscriptions: string[] };
      assert.deepEqual(status.subscriptions, ['trigger.probe.>']);
    }));

  test('its probe fails when the mesh hears nothing', () =>
    withRig(
      async (rig) => {
        await assert.rejects(rig.probe('trigger_mesh'), /did not fire its rule/);
      },
      {},
      broken((bus) => ({
        subscribe: (pattern, ...rest) =>
          bus.subscribe(pattern === 'trigger.probe.>' ? 'trigger.nowhere' : pattern, ...rest),
      })),
    ));

  test('its probe fails when a cascade is not cut, and ends the cascade', () =>
    withRig(
      async (rig) => {
        await assert.rejects(rig.probe('trigger_mesh'), /a cascade with the limit 3 fired \d+ times/);
        const before = (await rig.call('trigger_mesh', 'status')) as { fired: number };
        await poll('the cascade to be over', async () => {
          const now = (await rig.call('trigger_mesh', 'status')) as { fired: number };
          const isQuiet = now.fired === before.fired;
          before.fired = now.fired;
          return isQuiet;
        });
      },
      {},
      // Ids and causes are lost on the way, so nothing tells that an event was caused by a rule.
      broken((bus) => ({ publish: (subject, payload) => bus.publish(subject, payload) })),
    ));

  test('an event fires its rule, with the event in subject and payload', () =>
    withRig(async (rig) => {
      const seen = await listen(rig, 'task.>');
      await define(rig, {
        id: 'note',
        on: 'kernel.*.event.>',
        when: 'payload.level in ["warn", "error"]',
        do: note('task.{{payload.who}}', { level: '{{payload.level}}', text: 'from {{subject}}', by: '{{rule}}' }),
      });
      const out = rig.bus('tester');
      await out.publish('kernel.x.event.a', { level: 'info', who: 'nobody' });
      await out.publish('kernel.x.event.b', { level: 'warn', who: 'desk' }, { correlation: 'c1' });
      await poll('the action', () => seen.length > 0);
      assert.deepEqual(seen, [
        {
          subject: 'task.desk',
          payload: { level: 'warn', text: 'from kernel.x.event.b', by: 'note' },
          correlation: 'c1',
        },
      ]);
      const [first] = await fired(rig);
      assert.equal(first?.outcome, 'done');
    }));

  test('a call reaches the verb of another kernel, and its failure is recorded', () => {
    const asked: unknown[] = [];
    const other = defineKernel({
      id: 'other',
      start: () => ({
        verbs: {
          take(input) {
            asked.push(input);
            return { ok: true };
          },
        },
        probe: () => ({}),
      }),
    });
    return (async () => {
      const rig = await rigKernels([permitsAll, other, kernel]);
      try {
        await define(rig, {
          id: 'ask',
          on: 'a.ok',
          do: [{ call: { kernel: 'other', verb: 'take', input: { n: '{{payload.n}}' } } }],
        });
        await define(rig, {
          id: 'wrong',
          on: 'a.bad',
          do: [{ call: { kernel: 'other', verb: 'tke' } }, { log: 'never' }],
        });
        const out = rig.bus('tester');
        await out.publish('a.ok', { n: 7 });
        await out.publish('a.bad', {});
        await poll('both firings', async () => (await fired(rig)).length === 2);
        assert.deepEqual(asked, [{ n: 7 }]);
        const wrong = (await fired(rig)).find(({ rule }) => rule === 'wrong');
        assert.equal(wrong?.outcome, 'failed');
        assert.equal(wrong?.deeds.length, 1, 'the actions behind a failed one are not done');
        assert.match(wrong?.deeds[0]?.error ?? '', /UNKNOWN_VERB.*did you mean "take"/);
      } finally {
        await rig.close();
      }
    })();
  });

  test('a cascade over two rules is cut at the limit and recorded', () =>
    withRig(async (rig) => {
      const seen = await listen(rig, 'ring.>');
      await define(rig, { id: 'ping', on: 'ring.a', depth: 4, do: note('ring.b') });
      await define(rig, { id: 'pong', on: 'ring.b', depth: 4, do: note('ring.a') });
      await rig.bus('tester').publish('ring.a', {});
      const cut = await poll('the cut', async () => (await fired(rig)).find(({ outcome }) => outcome === 'cut'));
      assert.match(cut.detail, /4 firings in a row/);
      assert.equal(seen.length, 5);
    }));

  test('a circle through another kernel that keeps only the correlation is cut too', () =>
    withRig(async (rig) => {
      const relay = rig.bus('relay');
      let relayed = 0;
      await relay.subscribe('out.>', ({ correlation }) => {
        relayed++;
        if (relayed < 50) void relay.publish('in.again', {}, correlation === undefined ? {} : { correlation });
      });
      await define(rig, { id: 'circle', on: 'in.again', depth: 3, do: note('out.x') });
      await relay.publish('in.again', {});
      await poll('the cut', async () => (await fired(rig)).some(({ outcome }) => outcome === 'cut'));
      assert.equal(relayed, 3);
    }));

  test('the breaker opens after failed actions and closes after one that succeeds', () =>
    withRig(async (rig) => {
      const out = rig.bus('tester');
      await define(rig, {
        id: 'fragile',
        on: 'f.>',
        breaker: { failures: 2, open: '300ms' },
        deadline: '200ms',
        do: note('{{payload.to}}'),
      });
      for (let i = 0; i < 2; i++) await out.publish('f.x', { to: 'not a subject' });
      await poll('the breaker to open', async () => (await shown(rig, 'fragile')).circuit.state === 'open');
      await out.publish('f.x', { to: 'good.subject' });
      await poll('a firing held back', async () => (await shown(rig, 'fragile')).counts['breaker']);
      await poll('the breaker to close', async () => {
        await out.publish('f.x', { to: 'good.subject' });
        return (await shown(rig, 'fragile')).circuit.state === 'closed';
      });
    }));

  test('two overlapping rules: an event that both subscriptions deliver is judged once by each', () =>
    withRig(async (rig) => {
      await define(rig, { id: 'left', on: 'a.*', do: [{ log: 'l' }] });
      await define(rig, { id: 'right', on: '*.b', do: [{ log: 'r' }] });
      for (let i = 0; i < 20; i++) await rig.bus('tester').publish('a.b', { i });
      await poll('all firings', async () => (await fired(rig)).length >= 40);
      assert.equal((await shown(rig, 'left')).counts['fired'], 20);
      assert.equal((await shown(rig, 'right')).counts['fired'], 20);
    }));

  test('with ten thousand rules an event is judged only by those that look at it', () =>
    withRig(async (rig) => {
      await define(rig, { id: 'wide', on: 'many.>', do: [{ log: 'w' }] });
      await define(rig, { id: 'r0', on: 'many.k0.>', when: 'payload.n == 0', do: [{ log: 'x' }] });
      const [, shape] = (await rig.call('trigger_mesh', 'rules')) as Record<string, unknown>[];
      const db = new DatabaseSync(join(rig.stateDir('trigger_mesh'), 'store.sqlite'));
      const insert = db.prepare('INSERT INTO rules (id, rule) VALUES (?, ?)');
      db.exec('BEGIN');
      for (let i = 1; i < 10_000; i++) {
        insert.run(`r${i}`, JSON.stringify({ ...shape, id: `r${i}`, on: `many.k${i}.>`, when: `payload.n == ${i}` }));
      }
      db.exec('COMMIT');
      db.close();
      await rig.restart('trigger_mesh');
      const status = async () =>
        (await rig.call('trigger_mesh', 'status')) as { judged: number; rules: number; subscriptions: string[] };
      assert.deepEqual((await status()).subscriptions, ['many.>', 'trigger.probe.>']);
      assert.equal((await status()).rules, 10_001);
      await rig.bus('tester').publish('many.k77.x', { n: 77 });
      await poll('both firings', async () => (await fired(rig)).length === 2);
      assert.equal((await status()).judged, 2);
    }));

  test('rules, switches, windows and firings survive a restart', () =>
    withRig(async (rig) => {
      const out = rig.bus('tester');
      await define(rig, { id: 'third', on: 'w.>', window: { count: 3, within: '1h' }, do: [{ log: 'three' }] });
      await define(rig, { id: 'off', on: 'w.>', do: [{ log: 'off' }] });
      await rig.call('trigger_mesh', 'enable', { id: 'off', enabled: false });
      for (let i = 0; i < 2; i++) await out.publish('w.x', {});
      await poll('two events in the window', async () => (await shown(rig, 'third')).counts['window'] === 2);
      await rig.restart('trigger_mesh');
      assert.equal((await shown(rig, 'off')).enabled, false);
      await out.publish('w.x', {});
      await poll('the third event to fire', async () => (await fired(rig)).length === 1);
      await rig.restart('trigger_mesh');
      assert.deepEqual(
        (await fired(rig)).map(({ rule, outcome }) => [rule, outcome]),
        [['third', 'done']],
      );
    }));

  test('a dry test says what would fire and why not, and changes nothing', () =>
    withRig(async (rig) => {
      await define(rig, {
        id: 'big',
        on: 'a.>',
        when: 'payload.n > 5',
        window: { count: 2, within: '1m' },
        do: note('b.{{payload.n}}'),
      });
      const dry = async (input: unknown) =>
        (await rig.call('trigger_mesh', 'test', input)) as { fires: boolean; why: string; actions: unknown[] }[];
      const why = async (payload: unknown) => (await dry({ event: { subject: 'a.x', payload } })).map((one) => one.why);
      assert.deepEqual(await why({ n: 1 }), ['condition']);
      assert.deepEqual(await why({}), ['error']);
      for (let i = 0; i < 3; i++) assert.deepEqual(await why({ n: 9 }), ['window']);
      assert.deepEqual(await dry({ event: { subject: 'z.x', payload: {} } }), []);
      const [drawn] = await dry({
        definition: { id: 'd', on: 'a.>', do: note('b.{{payload.n}}', { n: '{{payload.n}}' }) },
        event: { subject: 'a.x', payload: { n: 3 } },
      });
      assert.deepEqual(
        [drawn?.fires, drawn?.actions],
        [true, [{ kind: 'publish', subject: 'b.3', payload: { n: 3 } }]],
      );
      assert.equal((await dry({ rule: 'big', event: { subject: 'z.x', payload: {} } }))[0]?.why, 'subject');
      assert.equal((await fired(rig)).length, 0);
    }));

  test('bad input is refused with its field and the nearest valid name', () =>
    withRig(async (rig) => {
      const good = { id: 'r', on: 'a.>', do: [{ log: 'x' }] };
      const cases: [unknown, string, RegExp][] = [
        [{ ...good, wen: 'true' }, 'BAD_INPUT', /unknown key "wen".*did you mean "when"/],
        [{ ...good, when: 'paylod.x == 1' }, 'BAD_INPUT', /when: .*did you mean "payload"/],
        [{ ...good, when: '1 +' }, 'BAD_INPUT', /when: expected valid CEL/],
        [{ ...good, on: 'a..b' }, 'BAD_INPUT', /on: expected a subject pattern/],
        [{ ...good, do: [{ publsh: {} }] }, 'BAD_INPUT', /did you mean "publish"/],
        [{ ...good, do: [{ log: 'x', publish: { subject: 'a' } }] }, 'BAD_INPUT', /exactly one of publish, call, log/],
        [{ ...good, do: [] }, 'BAD_INPUT', /do: expected at least 1/],
        [{ ...good, do: note('a.b', { x: ['{{paylod.y}}'] }) }, 'BAD_INPUT', /x\[0\].*did you mean "payload"/],
        [{ ...good, window: { count: 0, within: '1m' } }, 'BAD_INPUT', /window\.count/],
        [{ ...good, window: { count: 2, within: 'soon' } }, 'BAD_INPUT', /window\.within: expected a time/],
        [{ ...good, depth: 1000 }, 'BAD_INPUT', /depth/],
        ['text', 'BAD_INPUT', /expected a rule/],
        [{ ...good, do: note('a.b', 'x'.repeat(70_000)) }, 'TOO_LARGE', /65536/],
      ];
      for (const [input, code, message] of cases) {
        await assert.rejects(define(rig, input as never), (error: GraceError) => {
          assert.equal(error.code, code);
          assert.match(error.message, message);
          return true;
        });
      }
      await define(rig, { ...good, id: 'restart_note' });
      await assert.rejects(rig.call('trigger_mesh', 'remove', { id: 'restart_not' }), /did you mean "restart_note"/);
      await assert.rejects(
        rig.call('trigger_mesh', 'enable', { id: 'restart_note', enabled: 'yes' }),
        /input\.enabled/,
      );
      await assert.rejects(rig.call('trigger_mesh', 'fired', { limt: 5 }), /did you mean "limit"/);
      await assert.rejects(rig.call('trigger_mesh', 'test', { event: { subject: 'a b' } }), /input\.event\.subject/);
      assert.deepEqual(await rig.call('trigger_mesh', 'remove', { id: 'restart_note' }), {
        id: 'restart_note',
        removed: true,
      });
    }));

  test('a subject the access rules keep from the mesh is refused to the one who defines, and shown', () => {
    const acl = {
      kernels: { publish: { allow: ['>'], deny: [] }, subscribe: { allow: ['trigger.>', 'kernel.>'], deny: [] } },
      principals: {},
    };
    return withRig(
      async (rig) => {
        const made = (await define(rig, { id: 'spy', on: 'secret.>', do: [{ log: 'x' }] })) as {
          refused: Record<string, string>;
        };
        assert.deepEqual(Object.keys(made.refused), ['secret.>']);
        await rig.probe('trigger_mesh');
      },
      { acl },
    );
  });
});
