import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createBusClient, type Message } from '@grace/bus/client';
import { GraceError } from '@grace/contracts';
import { poll } from '@grace/testkit';
import { codeOf, createBed, tally, WIRES } from './bed.ts';

for (const wire of WIRES) {
  describe(`over a ${wire}`, () => {
    test('a message arrives with the sender the broker knows, not one it states', async (t) => {
      const bed = await createBed();
      t.after(() => bed.close());
      const [a, b] = [await bed.connect(wire, 'alpha'), await bed.connect(wire, 'beta')];
      const got: Message[] = [];
      await b.subscribe('task.*', (message) => void got.push(message));
      const { id } = await a.publish(
        'task.one',
        { from: 'somebody else' },
        { correlation: 'c1', causation: 'm0', schema: 3, priority: 'bulk' },
      );
      await poll('it arrived', () => got.length === 1);
      const [message] = got;
      assert.equal(message!.from, 'alpha');
      assert.equal(message!.id, id);
      assert.ok(Math.abs(message!.at - Date.now()) < 60_000);
      const { subject, kind, priority, correlation, causation, schema, payload, replyTo, deadlineMono } = message!;
      assert.deepEqual(
        { subject, kind, priority, correlation, causation, schema, payload, replyTo, deadlineMono },
        {
          subject: 'task.one',
          kind: 'event',
          priority: 'bulk',
          correlation: 'c1',
          causation: 'm0',
          schema: 3,
          payload: { from: 'somebody else' },
          replyTo: undefined,
          deadlineMono: undefined,
        },
      );
    });

    test('what can be cloned comes through as it was', async (t) => {
      const bed = await createBed();
      t.after(() => bed.close());
      const [a, b] = [await bed.connect(wire, 'alpha'), await bed.connect(wire, 'beta')];
      await b.subscribe('echo', (message) => message.reply(message.payload));
      const circle: Record<string, unknown> = { name: 'circle' };
      circle['self'] = circle;
      const values: unknown[] = [
        undefined,
        null,
        true,
        0,
        -0,
        Number.NaN,
        Number.POSITIVE_INFINITY,
        12n,
        '',
        'text \ud83d\ude00 \u0000 \ud800',
        [1, [2, [3]]],
        [undefined, 1],
        [Number.NaN, -0, Number.NEGATIVE_INFINITY],
        // biome-ignore lint/suspicious/noSparseArray: a hole must stay a hole
        [1, , 3],
        { a: { b: undefined } },
        JSON.parse('{"__proto__": 1}'),
        new Date(5),
        new Map<unknown, unknown>([['k', new Set([1])]]),
        new Uint8Array([1, 2, 3]),
        Buffer.from('bytes'),
        new Float64Array([0.5]),
        /x+/gi,
        circle,
        'x'.repeat(200_000),
        { big: 'y'.repeat(100_000), bytes: new Uint8Array(100_000).fill(9) },
      ];
      for (const value of values) assert.deepEqual(await a.request('echo', value), value);
      const error = (await a.request('echo', new TypeError('broken'))) as Error;
      assert.ok(error instanceof TypeError);
      assert.equal(error.message, 'broken');
      assert.equal(await codeOf(a.publish('echo', () => 1)), 'BAD_INPUT');
    });

    test('what the sender changes after publishing is not seen', async (t) => {
      const bed = await createBed();
      t.after(() => bed.close());
      const [a, b] = [await bed.connect(wire, 'alpha'), await bed.connect(wire, 'beta')];
      const got: unknown[] = [];
      await b.subscribe('task.n', ({ payload }) => void got.push(payload));
      const state = { n: 0, at: new Date(0) };
      const sent: Promise<unknown>[] = [];
      for (; state.n < 3; state.n++, state.at.setTime(state.n)) sent.push(a.publish('task.n', state));
      await Promise.all(sent);
      await poll('all arrived', () => got.length === 3);
      assert.deepEqual(
        got,
        [0, 1, 2].map((n) => ({ n, at: new Date(n) })),
      );
    });

    test('each subscription of a client gets a payload of its own', async (t) => {
      const bed = await createBed();
      t.after(() => bed.close());
      const [a, b] = [await bed.connect(wire, 'alpha'), await bed.connect(wire, 'beta')];
      const got: { n: number }[] = [];
      for (const pattern of ['task.n', 'task.>']) {
        await b.subscribe(pattern, ({ payload }) => {
          (payload as { n: number }).n++;
          got.push(payload as { n: number });
        });
      }
      await a.publish('task.n', { n: 1 });
      await poll('both arrived', () => got.length === 2);
      assert.deepEqual(got, [{ n: 2 }, { n: 2 }]);
    });

    test('messages of one publisher and subject arrive in their order', async (t) => {
      const bed = await createBed();
      t.after(() => bed.close());
      const [a, b] = [await bed.connect(wire, 'alpha'), await bed.connect(wire, 'beta')];
      const got: number[] = [];
      await b.subscribe('task.n', ({ payload }) => void got.push(payload as number));
      const numbers = Array.from({ length: 5000 }, (_, i) => i);
      await Promise.all(numbers.map((n) => a.publish('task.n', n)));
      await poll('all arrived', () => got.length === numbers.length);
      assert.deepEqual(got, numbers);
    });

    test('members of a queue group share, each message goes to one of them', async (t) => {
      const bed = await createBed();
      t.after(() => bed.close());
      const publisher = await bed.connect(wire, 'alpha');
      const got: string[] = [];
      const numbers: number[] = [];
      for (const name of ['one', 'two', 'three']) {
        const member = await bed.connect(wire, name);
        await member.subscribe(
          'task.>',
          ({ payload }) => {
            got.push(name);
            numbers.push(payload as number);
          },
          { queue: 'workers' },
        );
      }
      await Promise.all(Array.from({ length: 300 }, (_, n) => publisher.publish(`task.${n}`, n)));
      await poll('all arrived', () => got.length === 300);
      assert.equal(new Set(numbers).size, 300);
      assert.deepEqual(Object.keys(tally(got)).sort(), ['one', 'three', 'two']);
    });

    test('a request is answered once, by the first who answers', async (t) => {
      const bed = await createBed();
      t.after(() => bed.close());
      const [a, b, c] = [
        await bed.connect(wire, 'alpha'),
        await bed.connect(wire, 'beta'),
        await bed.connect(wire, 'gamma'),
      ];
      const silent: Message[] = [];
      await c.subscribe('ask.it', (message) => void silent.push(message));
      await b.subscribe('ask.it', (message) => {
        message.reply('first');
        message.reply('second');
        message.fail(new Error('third'));
      });
      assert.equal(await a.request('ask.it', null), 'first');
      await poll('the other has it', () => silent.length === 1);
      silent[0]!.reply('late');
      assert.equal(await a.request('ask.it', null), 'first');
      assert.equal(a.counters().refused, 0);
    });

    test('a failure answers with its code and details, also when the handler throws', async (t) => {
      const bed = await createBed();
      t.after(() => bed.close());
      const [a, b] = [await bed.connect(wire, 'alpha'), await bed.connect(wire, 'beta')];
      await b.subscribe('ask.fail', (message) => message.fail(new GraceError('NOT_FOUND', 'no such', { id: 7 })));
      await b.subscribe('ask.throw', () => {
        throw new GraceError('CONFLICT', 'busy', { by: () => 'cannot travel' });
      });
      await b.subscribe('ask.reject', async () => {
        throw new Error('plain');
      });
      await assert.rejects(a.request('ask.fail', null), (error: GraceError) => {
        assert.deepEqual([error.code, error.message, error.details['id']], ['NOT_FOUND', 'no such', 7]);
        return true;
      });
      await assert.rejects(a.request('ask.throw', null), { code: 'CONFLICT', message: 'busy' });
      await assert.rejects(a.request('ask.reject', null), { code: 'INTERNAL', message: 'plain' });
    });

    test('a request nobody subscribes to fails at once, one whose responder goes away too', async (t) => {
      const bed = await createBed();
      t.after(() => bed.close());
      const [a, b] = [await bed.connect(wire, 'alpha'), await bed.connect(wire, 'beta')];
      assert.equal(await codeOf(a.request('ask.nobody', null, { deadlineMs: 600_000 })), 'BUS_NO_RESPONDERS');
      let taken = 0;
      await b.subscribe('ask.it', () => {
        taken++;
        return new Promise(() => {});
      });
      const answer = codeOf(a.request('ask.it', null, { deadlineMs: 600_000 }));
      await poll('it was taken', () => taken === 1);
      await b.close();
      assert.equal(await answer, 'BUS_NO_RESPONDERS');
    });

    test('a request that is not answered ends at its deadline', async (t) => {
      const bed = await createBed();
      t.after(() => bed.close());
      const [a, b] = [await bed.connect(wire, 'alpha'), await bed.connect(wire, 'beta')];
      await b.subscribe('ask.it', () => {});
      assert.equal(await codeOf(a.request('ask.it', null, { deadlineMs: 60 })), 'BUS_DEADLINE');
    });

    test('what is not well formed or too large is refused with its code', async (t) => {
      const bed = await createBed({ maxPayloadBytes: 1000 });
      t.after(() => bed.close());
      const a = await bed.connect(wire, 'alpha');
      for (const subject of ['', '.', 'a..b', 'a.', 'a b', 'a.*', '>', 'x'.repeat(300)]) {
        assert.equal(await codeOf(a.publish(subject, 1)), 'BUS_BAD_SUBJECT', subject);
      }
      for (const pattern of ['', 'a..b', 'a.>.b', 'a b', 'a*']) {
        assert.equal(await codeOf(a.subscribe(pattern, () => {})), 'BUS_BAD_SUBJECT', pattern);
      }
      assert.equal(await codeOf(a.publish('task.a', 'x'.repeat(2000))), 'BUS_TOO_LARGE');
      assert.equal(await codeOf(a.publish('task.a', new Uint8Array(2000))), 'BUS_TOO_LARGE');
      assert.equal(await codeOf(a.publish('task.a', 'x'.repeat(900))), 'accepted');
      assert.equal(await codeOf(a.publish('task.a', 1, { deadlineMs: Number.NaN })), 'BAD_INPUT');
      await bed.broker.close();
      await poll('the wire is gone', () => !a.connected);
      assert.equal(await codeOf(a.publish('task.a', 'x'.repeat(2000))), 'BUS_TOO_LARGE');
    });

    test('an answer that is too large fails the request with that code', async (t) => {
      const bed = await createBed({ maxPayloadBytes: 1000 });
      t.after(() => bed.close());
      const [a, b] = [await bed.connect(wire, 'alpha'), await bed.connect(wire, 'beta')];
      await b.subscribe('ask.it', (message) => message.reply('x'.repeat(2000)));
      assert.equal(await codeOf(a.request('ask.it', null)), 'BUS_TOO_LARGE');
    });

    test('an id given twice is accepted twice and delivered once', async (t) => {
      const bed = await createBed();
      t.after(() => bed.close());
      const [a, b] = [await bed.connect(wire, 'alpha'), await bed.connect(wire, 'beta')];
      const got: unknown[] = [];
      await b.subscribe('task.>', ({ payload }) => void got.push(payload));
      assert.deepEqual(await a.publish('task.a', 1, { id: 'given' }), { id: 'given' });
      assert.deepEqual(await a.publish('task.a', 2, { id: 'given' }), { id: 'given' });
      await b.publish('task.a', 3, { id: 'given' });
      await poll('the last arrived', () => got.includes(3));
      assert.deepEqual(got, [1, 3]);
    });

    test('after unsubscribing nothing arrives', async (t) => {
      const bed = await createBed();
      t.after(() => bed.close());
      const [a, b] = [await bed.connect(wire, 'alpha'), await bed.connect(wire, 'beta')];
      const got: string[] = [];
      const first = await b.subscribe('task.a', () => void got.push('first'));
      await b.subscribe('task.a', () => void got.push('second'));
      await first.unsubscribe();
      await a.publish('task.a', 1);
      await poll('the other arrived', () => got.includes('second'));
      assert.deepEqual(got, ['second']);
      assert.equal(await codeOf(a.request('task.b', 1)), 'BUS_NO_RESPONDERS');
    });

    test('closing rejects everything that waits with BUS_CLOSED', async (t) => {
      const bed = await createBed();
      t.after(() => bed.close());
      const [a, b] = [await bed.connect(wire, 'alpha'), await bed.connect(wire, 'beta')];
      await b.subscribe('ask.it', () => {});
      const request = codeOf(a.request('ask.it', null));
      await poll('it is accepted', () => a.counters().accepted === 1);
      await a.close();
      assert.equal(await request, 'BUS_CLOSED');
      assert.equal(await codeOf(a.publish('task.a', 1)), 'BUS_CLOSED');
      assert.equal(await codeOf(a.subscribe('task.a', () => {})), 'BUS_CLOSED');
    });
  });
}

test('closing a client that never had a wire rejects what waits in it', async () => {
  const client = createBusClient();
  const waiting = [client.publish('task.a', 1), client.request('task.a', 1), client.subscribe('task.a', () => {})];
  const codes = Promise.all(waiting.map(codeOf));
  assert.equal(client.counters().outbox, 2);
  await client.close();
  assert.deepEqual(await codes, ['BUS_CLOSED', 'BUS_CLOSED', 'BUS_CLOSED']);
  assert.equal(client.counters().outbox, 0);
});
