import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Message, MessageHandler } from '@grace/bus/client';
import { defineKernel, type KernelDefinition } from '@grace/kernel-sdk';
import { type KernelRig, poll, rigKernels } from '@grace/testkit';
import scheduler from '../../scheduler/kernel.ts';
import { permitsAll } from '../fixtures/permits-all.ts';
import kernel from '../kernel.ts';

interface Fired {
  rule: string;
  outcome: string;
  depth: number;
}
interface Shown {
  counts: Record<string, number>;
  circuit: { state: string };
  lastError: string | null;
}
const fired = async (rig: KernelRig) => (await rig.call('trigger_mesh', 'fired', { limit: 1000 })) as Fired[];
const define = (rig: KernelRig, rule: Record<string, unknown>) => rig.call('trigger_mesh', 'define', rule);
const shown = async (rig: KernelRig, id: string) => ((await rig.call('trigger_mesh', 'rules', { id })) as Shown[])[0]!;
const cuts = async (rig: KernelRig) => (await fired(rig)).filter(({ outcome }) => outcome === 'cut').length;

async function withRig(body: (rig: KernelRig) => Promise<void>, definitions: KernelDefinition[] = [kernel]) {
  const rig = await rigKernels([permitsAll, ...definitions]);
  try {
    await body(rig);
  } finally {
    await rig.close();
  }
}

describe('a cascade', () => {
  test('through jobs of the scheduler is cut at its limit', () =>
    withRig(
      async (rig) => {
        await define(rig, {
          id: 'again',
          on: 'task.again',
          depth: 3,
          do: [
            {
              call: {
                kernel: 'scheduler',
                verb: 'add',
                input: { id: 'loop', inMs: 5, replace: true, publish: { subject: 'task.again', payload: {} } },
              },
            },
          ],
        });
        await rig.bus('tester').publish('task.again', {});
        await poll('the cut', async () => (await cuts(rig)) === 1);
        const firings = (await fired(rig)).filter(({ outcome }) => outcome === 'done');
        assert.deepEqual(firings.map(({ depth }) => depth).sort(), [0, 1, 2]);
      },
      [scheduler, kernel],
    ));

  test('through a job that is run by hand is cut too', () =>
    withRig(
      async (rig) => {
        await rig.call('scheduler', 'add', {
          id: 'echo',
          every: '1h',
          overlap: 'allow',
          publish: { subject: 'task.echo' },
        });
        await define(rig, {
          id: 'again',
          on: 'task.echo',
          depth: 3,
          do: [{ call: { kernel: 'scheduler', verb: 'run', input: { id: 'echo' } } }],
        });
        await rig.call('scheduler', 'run', { id: 'echo' });
        await poll('the cut', async () => (await cuts(rig)) === 1);
        assert.equal((await shown(rig, 'again')).counts['fired'], 3);
      },
      [scheduler, kernel],
    ));

  test('goes on being counted when the mesh is restarted in its middle', () =>
    withRig(async (rig) => {
      const relay = rig.bus('relay');
      const held: string[] = [];
      await relay.subscribe('out.>', ({ correlation }) => void held.push(correlation!));
      await define(rig, {
        id: 'circle',
        on: 'in.again',
        depth: 4,
        do: [{ publish: { subject: 'out.x', payload: {} } }],
      });
      await relay.publish('in.again', {});
      for (let turn = 1; turn <= 4; turn++) {
        await poll(`message ${turn}`, async () => held.length === turn && (await fired(rig)).length === turn);
        await rig.restart('trigger_mesh');
        await relay.publish('in.again', {}, { correlation: held.at(-1)! });
      }
      await poll('the cut', async () => (await cuts(rig)) === 1);
      assert.equal(held.length, 4);
    }));
});

describe('what a restart does not change', () => {
  test('an open breaker is open after it, and a closed one stays closed', () =>
    withRig(async (rig) => {
      const out = rig.bus('tester');
      await define(rig, {
        id: 'fragile',
        on: 'f.>',
        breaker: { failures: 2, open: '1s' },
        do: [{ publish: { subject: '{{payload.to}}', payload: {} } }],
      });
      for (let i = 0; i < 2; i++) await out.publish('f.x', { to: 'no subject' });
      await poll('the breaker to open', async () => (await shown(rig, 'fragile')).circuit.state === 'open');
      await rig.restart('trigger_mesh');
      assert.equal((await shown(rig, 'fragile')).circuit.state, 'open');
      await poll('the breaker to close', async () => {
        await out.publish('f.x', { to: 'good.subject' });
        return (await shown(rig, 'fragile')).circuit.state === 'closed';
      });
      await rig.restart('trigger_mesh');
      assert.equal((await shown(rig, 'fragile')).circuit.state, 'closed');
    }));

  test('an event whose acknowledgement was lost fires its rule no second time', () => {
    let handler: MessageHandler | undefined;
    let last: Message | undefined;
    const redelivered = defineKernel({
      id: kernel.id,
      start: (ctx) => {
        const subscribe = ctx.bus.subscribe.bind(ctx.bus);
        ctx.bus.subscribe = (pattern, handle, options) => {
          if (pattern !== 'work.>') return subscribe(pattern, handle, options);
          handler = handle;
          return subscribe(
            pattern,
            (message) => {
              last = message;
              return handle(message);
            },
            options,
          );
        };
        return kernel.start(ctx);
      },
    });
    return withRig(
      async (rig) => {
        await define(rig, { id: 'once', on: 'work.>', do: [{ log: 'x' }] });
        await rig.bus('tester').publish('work.item', {});
        await poll('the firing', async () => (await fired(rig)).length === 1);
        await rig.restart('trigger_mesh');
        const { id, subject, from, at, payload, kind, priority, schema } = last!;
        await handler!({ id, subject, from, at, payload, kind, priority, schema, attempt: 2 } as Message);
        assert.deepEqual([(await shown(rig, 'once')).counts['repeated'], (await fired(rig)).length], [1, 1]);
        await handler!({ id: 'another', subject, from, at, payload, kind, priority, schema, attempt: 2 } as Message);
        await poll('the firing of another', async () => (await fired(rig)).length === 2);
      },
      [redelivered],
    );
  });

  test('what one rule remembers of a hostile event does not keep others from being remembered', () =>
    withRig(async (rig) => {
      const out = rig.bus('tester');
      await define(rig, { id: 'held', on: 'h.x', debounce: '1h', do: [{ log: 'x' }] });
      await define(rig, { id: 'third', on: 'w.x', window: { count: 3, within: '1h' }, do: [{ log: 'three' }] });
      await out.publish('h.x', { n: 1n, m: new Map([[1, new Set([2n])]]), d: new Date() });
      for (let i = 0; i < 2; i++) await out.publish('w.x', {});
      await poll('two events in the window', async () => (await shown(rig, 'third')).counts['window'] === 2);
      await rig.restart('trigger_mesh');
      await out.publish('w.x', {});
      await poll('the third event to fire', async () => (await fired(rig)).length === 1);
    }));
});

describe('a hostile event', () => {
  test('that a template would make huge fails its firing and nothing else', () =>
    withRig(async (rig) => {
      await define(rig, {
        id: 'copies',
        on: 'a.b',
        do: [{ log: 'x' }, { publish: { subject: 'c.d', payload: '{{payload}}'.repeat(5000) } }],
      });
      const out = rig.bus('tester');
      await out.publish('a.b', { text: 'x'.repeat(500_000) });
      await poll('the refusal', async () => (await shown(rig, 'copies')).counts['failed'] === 1);
      assert.match(
        (await shown(rig, 'copies')).lastError!,
        /^TOO_LARGE: the filled actions may have 1000000 characters/,
      );
      await out.publish('a.b', {});
      await poll('a firing', async () => (await fired(rig)).some(({ outcome }) => outcome === 'done'));
    }));

  test('with ever new keys costs the oldest keys, which are counted', () =>
    withRig(async (rig) => {
      await define(rig, {
        id: 'keyed',
        on: 'k.x',
        key: 'payload.k',
        window: { count: 2, within: '1h' },
        do: [{ log: 'x' }],
      });
      const out = rig.bus('tester');
      await Promise.all(Array.from({ length: 1500 }, (_, k) => out.publish('k.x', { k })));
      await poll('all events', async () => (await shown(rig, 'keyed')).counts['window'] === 1500);
      const { keys } = (await rig.call('trigger_mesh', 'status')) as { keys: { held: number; forgotten: number } };
      assert.deepEqual(keys, { held: 1000, forgotten: 500 });
    }));

  test('and a definition that is deep or names what every object has is refused or harmless', () =>
    withRig(async (rig) => {
      const deep = `${'['.repeat(20_000)}${']'.repeat(20_000)}`;
      const rule = { id: 'deep', on: 'a.b', do: [{ publish: { subject: 'c.d', payload: JSON.parse(deep) } }] };
      await assert.rejects(define(rig, rule), { code: 'BAD_INPUT' });
      const circle: Record<string, unknown> = { id: 'circle', on: 'a.b' };
      circle['do'] = [{ publish: { subject: 'c.d', payload: circle } }];
      await assert.rejects(define(rig, circle), { code: 'BAD_INPUT' });
      await define(rig, {
        id: 'proto',
        on: 'a.b',
        do: [{ publish: { subject: 'c.d', payload: JSON.parse('{"__proto__": {"polluted": "{{subject}}"}}') } }],
      });
      await rig.bus('tester').publish('a.b', {});
      await poll('the firing', async () => (await fired(rig)).length === 1);
      assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
    }));
});
