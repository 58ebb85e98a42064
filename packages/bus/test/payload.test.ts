import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import type { BusConnection } from '@grace/bus/client';
import { GraceError } from '@grace/contracts';
import { poll } from '@grace/testkit';
import fc from 'fast-check';
import { type Bed, codeOf, createBed, isBalanced, WIRES, type WireKind } from './bed.ts';

/** A client of each wire that answers with what it was sent, and one that asks. */
async function echoes(bed: Bed): Promise<{ asker: BusConnection; over(wire: WireKind): string }> {
  for (const wire of WIRES) {
    const client = await bed.connect(wire, `echo_${wire}`);
    await client.subscribe(`echo.${wire}`, (message) => message.reply(message.payload));
  }
  return { asker: await bed.connect('port', 'asker'), over: (wire) => `echo.${wire}` };
}

const bytes = fc.uint8Array({ maxLength: 24 }).map((array) => array.slice());
const leaf: fc.Arbitrary<unknown> = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom(null, undefined, true, false, -0, 0, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53),
  fc.double(),
  fc.integer(),
  fc.bigInt(),
  fc.date({ noInvalidDate: false }),
  fc.constantFrom(/a+\/b/gi, Object(1), Object('boxed'), Object(false), Object(7n)),
  bytes,
  bytes.map((array) => array.buffer),
  bytes.map((array) => new DataView(array.buffer)),
  fc.float64Array({ maxLength: 4 }).map((array) => array.slice()),
  fc.int16Array({ maxLength: 4 }).map((array) => array.slice()),
  fc.bigUint64Array({ maxLength: 4 }).map((array) => array.slice()),
  fc.string().map((words) => new TypeError(words, { cause: new RangeError('within', { cause: { at: 1 } }) })),
);
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    leaf,
    fc.array(tie('value'), { maxLength: 4 }),
    fc.sparseArray(tie('value'), { maxNumElements: 3 }),
    fc.dictionary(fc.string(), tie('value'), { maxKeys: 4 }),
    fc.array(fc.tuple(tie('value'), tie('value')), { maxLength: 3 }).map((entries) => new Map(entries)),
    fc.array(tie('value'), { maxLength: 3 }).map((items) => new Set(items)),
    tie('value').map((inner) => {
      const circle: Record<string, unknown> = { inner };
      circle['self'] = circle;
      return circle;
    }),
  ),
}));

test('whatever can be cloned arrives as structuredClone makes it, over every wire', async (t) => {
  const bed = await createBed();
  t.after(() => bed.close());
  const { asker, over } = await echoes(bed);
  await fc.assert(
    fc.asyncProperty(value, async (payload) => {
      const expected = structuredClone(payload);
      for (const wire of WIRES) {
        const came = await asker.request(over(wire), payload, { deadlineMs: 30_000 });
        assert.ok(isDeepStrictEqual(came, expected), `over a ${wire}`);
      }
    }),
    {
      numRuns: 200,
      examples: [[[-0]], [{ at: -0 }], [[Number.NaN]], [Object.assign(new Array(2), { 1: 1 })], [{ gone: undefined }]],
    },
  );
});

for (const wire of WIRES) {
  describe(`over a ${wire}`, () => {
    test('an error arrives with its code, its details and its cause, at any depth, once', async (t) => {
      const bed = await createBed();
      t.after(() => bed.close());
      const { asker, over } = await echoes(bed);
      const cause = Object.assign(new Error('no space'), { code: 'ENOSPC', errno: -28 });
      const error = new GraceError('STORAGE_FULL', 'the disk is full', { path: '/a', when: new Date(5) }, { cause });
      const sent = { list: [new Map([['error', error]])], same: error, all: new AggregateError([cause], 'several') };
      const came = (await asker.request(over(wire), sent)) as typeof sent;
      const got = came.same;
      assert.ok(got instanceof Error);
      assert.deepEqual(
        [got.name, got.message, got.code, got.details, got.stack],
        ['GraceError', 'the disk is full', 'STORAGE_FULL', { path: '/a', when: new Date(5) }, error.stack],
      );
      assert.deepEqual([(got.cause as typeof cause).code, (got.cause as typeof cause).errno], ['ENOSPC', -28]);
      assert.equal(came.list[0]!.get('error'), got);
      assert.equal(came.all.errors[0].code, 'ENOSPC');
    });

    test('a Buffer stays one, and no typed array shows more than itself', async (t) => {
      const bed = await createBed();
      t.after(() => bed.close());
      const { asker, over } = await echoes(bed);
      const sent = {
        buffer: Buffer.from('some bytes'),
        array: new Uint8Array(64).subarray(8, 16),
        more: 'x'.repeat(500),
      };
      const came = (await asker.request(over(wire), sent)) as typeof sent;
      assert.ok(Buffer.isBuffer(came.buffer));
      assert.equal(came.buffer.toString(), 'some bytes');
      assert.deepEqual([came.buffer.buffer.byteLength, came.array.buffer.byteLength], [10, 8]);
    });

    test('each handler gets its own: what one writes into a typed array the other does not see', async (t) => {
      const bed = await createBed();
      t.after(() => bed.close());
      const reader = await bed.connect(wire, 'reader');
      const got: Uint8Array[] = [];
      const take = ({ payload }: { payload: unknown }): void => {
        const { array } = payload as { array: Uint8Array };
        got.push(array.slice());
        array.fill(9);
      };
      const whole = ({ payload }: { payload: unknown }): void => take({ payload: { array: payload } });
      await reader.subscribe('a.b', take);
      await reader.subscribe('a.*', take);
      const writer = await bed.connect('port', 'writer');
      await writer.publish('a.b', { array: new Uint8Array([1, 2, 3]) });
      await poll('both have it', () => got.length === 2);
      const given = { array: new Uint8Array([1, 2, 3]) };
      assert.deepEqual(got, [given.array, given.array]);
      await reader.subscribe('b.b', whole);
      await reader.subscribe('b.*', whole);
      await writer.publish('b.b', given.array, { transfer: [given.array.buffer] });
      await poll('both have that too', () => got.length === 4);
      assert.deepEqual(got.slice(2), [new Uint8Array([1, 2, 3]), new Uint8Array([1, 2, 3])]);
    });

    test('a payload that is too large is refused with its size and the limit, here and where it is answered', async (t) => {
      const bed = await createBed({ maxPayloadBytes: 1000 });
      t.after(() => bed.close());
      const client = await bed.connect(wire, 'client');
      const large = new Uint8Array(5000);
      const expected = { code: 'BUS_TOO_LARGE', message: /\b50\d\d bytes, the bus carries 1000/ };
      await assert.rejects(client.publish('a', large), expected);
      await client.subscribe('ask', (message) => message.reply(large));
      await assert.rejects(client.request('ask', null), expected);
    });

    test('what cannot be cloned is refused before anything is given away', async (t) => {
      const bed = await createBed();
      t.after(() => bed.close());
      const client = await bed.connect(wire, 'client');
      const { buffer } = new Uint8Array(8);
      const refused: [unknown, unknown][] = [
        [{ buffer, nested: () => {} }, [buffer]],
        [buffer, [buffer, buffer]],
        [buffer, ['buffer']],
        [buffer, [buffer, new Uint8Array(2)]],
      ];
      for (const [payload, transfer] of refused)
        assert.equal(await codeOf(client.publish('a', payload, { transfer: transfer as ArrayBuffer[] })), 'BAD_INPUT');
      assert.equal(await codeOf(client.publish('a', buffer, { transfer: [buffer], deadlineMs: -1 })), 'BAD_INPUT');
      assert.equal(buffer.byteLength, 8);
      await client.publish('a', buffer, { transfer: [buffer] });
      assert.equal(await codeOf(client.publish('a', buffer, { transfer: [buffer] })), 'BAD_INPUT');
    });

    test('a buffer that is given away is empty for its sender and whole for each receiver, one or several', async (t) => {
      const bed = await createBed();
      t.after(() => bed.close());
      const sender = await bed.connect(wire, 'sender');
      const got: { subject: string; payload: unknown }[] = [];
      const take = ({ subject, payload }: { subject: string; payload: unknown }): void =>
        void got.push({ subject, payload });
      for (const to of WIRES) {
        const reader = await bed.connect(to, `reader_${to}`);
        await reader.subscribe(`one.${to}`, take);
        await reader.subscribe(`all.${to}`, take);
        await reader.subscribe(`all.>`, take);
      }
      const make: (() => ArrayBuffer | ArrayBufferView<ArrayBuffer>)[] = [
        () => new Uint8Array([1, 2, 3]).buffer,
        () => new Float64Array([1.5, Number.NaN, -0]),
        () => new BigInt64Array([5n]),
        () => new DataView(new Uint8Array([7, 8]).buffer),
        () => new Uint8Array([1, 2, 3, 4]).subarray(1, 3),
        () => Buffer.alloc(16, 5).subarray(),
      ];
      for (const subject of ['one.port', 'one.socket', 'all.port', 'all.socket']) {
        for (const made of make) {
          const [payload, expected] = [made(), made()];
          const buffer = ArrayBuffer.isView(payload) ? payload.buffer : payload;
          got.length = 0;
          await sender.publish(subject, payload, { transfer: [buffer] });
          assert.equal(buffer.detached, true);
          // Those of `all.port` are subscribed to by both patterns of its own reader and one of the other.
          const receivers = subject.startsWith('one') ? 1 : 3;
          await poll('all have it', () => got.length === receivers);
          for (const one of got) assert.deepEqual(one.payload, expected);
        }
      }
      const nested = new Uint8Array([1, 2]).buffer;
      await sender.publish('one.port', { nested }, { transfer: [nested] });
      assert.equal(nested.detached, true);
      await poll('it came', () => isDeepStrictEqual(got.at(-1)?.payload, { nested: new Uint8Array([1, 2]).buffer }));
      assert.ok(isBalanced(bed.broker.statistics()));
    });

    test('bytes that no client packed are rejected where they arrive, and harm nobody', async (t) => {
      const bed = await createBed();
      t.after(() => bed.close());
      const reader = await bed.connect(wire, 'reader');
      const got: unknown[] = [];
      await reader.subscribe('a', ({ payload }) => void got.push(payload));
      const hostile = bed.raw('hostile');
      const answers: unknown[][] = [];
      hostile.on('message', (frame: unknown[]) => answers.push(frame));
      hostile.postMessage(['hello', 1, 1024, 1e6, null]);
      const garbage = [
        new Uint8Array([255, 1, 2, 3]),
        new Uint8Array([3]),
        new Uint8Array(0),
        '{"',
        new Uint8Array([1, 255]),
      ];
      const deadline = Number(process.hrtime.bigint()) / 1e6 + 30_000;
      // A whole number of floats is promised by the flags of the last, and not kept.
      const flags = [...garbage.map(() => 1), 1 | (10 << 8)];
      const payloads = [...garbage, new Uint8Array(9)];
      const messages = payloads.flatMap((payload, i) => ['a', flags[i], `id-${i}`, deadline, null, payload]);
      hostile.postMessage(['batch', 1, payloads.length, 0, 0, 0, ...messages]);
      const rejected = () => bed.broker.statistics().rejected;
      await poll('each is rejected', () => rejected() === payloads.length);
      await hostileAnswer(bed, wire);
      assert.deepEqual(got, []);
      const writer = await bed.connect('port', 'writer');
      await writer.publish('a', 'still there');
      await poll('it came', () => got.length === 1);
      assert.ok(isBalanced(bed.broker.statistics()));
    });
  });
}

/** Answers a request with what cannot be read: the asker gets an error and lives on. */
async function hostileAnswer(bed: Bed, wire: WireKind): Promise<void> {
  const port = bed.raw('answerer');
  port.on('message', (frame: unknown[]) => {
    if (frame[0] !== 'batch' || frame[2] === 0) return;
    port.postMessage(['batch', 1, 0, 2, 0, 3, frame[1], frame[1], frame[1], 1, new Uint8Array([255, 9, 9])]);
  });
  port.postMessage(['hello', 1, 1024, 1e6, null]);
  port.postMessage(['subscribe', 1, 'hostile.answer', null, null]);
  const asker = await bed.connect(wire, 'asker');
  await poll('somebody answers', async () => (await codeOf(asker.request('hostile.answer', 1))) === 'PROTOCOL');
}

test('a large buffer to one subscriber over ports is moved at both steps, and copied for two', async (t) => {
  const bed = await createBed({ maxPayloadBytes: 64 * 1024 ** 2 });
  t.after(() => bed.close());
  const sender = await bed.connect('port', 'sender');
  const reader = await bed.connect('port', 'reader');
  const posted: number[] = [];
  const { MessagePort } = await import('node:worker_threads');
  const post = MessagePort.prototype.postMessage;
  MessagePort.prototype.postMessage = function (this: InstanceType<typeof MessagePort>, frame, moves) {
    if ((moves as unknown[] | undefined)?.length) posted.push((moves as ArrayBuffer[])[0]!.byteLength);
    return post.call(this, frame, moves as never);
  } as typeof post;
  t.after(() => {
    MessagePort.prototype.postMessage = post;
  });
  let got = 0;
  await reader.subscribe('big', ({ payload }) => {
    got += (payload as Float64Array).length;
  });
  const send = async (): Promise<void> => {
    const big = new Float64Array(1e6);
    await sender.publish('big', big, { transfer: [big.buffer] });
  };
  await send();
  await poll('it came', () => got === 1e6);
  assert.deepEqual(posted, [8e6, 8e6]);
  await reader.subscribe('*', () => {});
  posted.length = 0;
  await send();
  await poll('it came again', () => got === 2e6);
  assert.deepEqual(posted, [8e6]);
});

test('what was moved to a broker that died is refused, and not sent again empty', async (t) => {
  const client = (await import('@grace/bus/client')).createBusClient();
  t.after(() => client.close());
  const { MessageChannel } = await import('node:worker_threads');
  const { port1, port2 } = new MessageChannel();
  client.attach(port1);
  const frames: unknown[][] = [];
  port2.on('message', (frame: unknown[]) => {
    frames.push(frame);
    if (frame[0] === 'hello') port2.postMessage(['welcome', 1, 1024, 1e6, 1e6]);
  });
  await poll('it is welcome', () => client.connected);
  const { buffer } = new Uint8Array(8);
  const answer = codeOf(client.publish('a', buffer, { transfer: [buffer] }));
  await poll('it is under way', () => frames.some(([kind]) => kind === 'batch'));
  port2.close();
  assert.equal(await answer, 'BUS_CLOSED');
  const bed = await createBed();
  t.after(() => bed.close());
  const again = new MessageChannel();
  bed.broker.attach(again.port1, { principal: 'x', incarnation: 1, messagesPerSecond: 1e6, kernel: true });
  client.attach(again.port2);
  await client.publish('b', 1);
  assert.equal(bed.broker.statistics().principals['x']!.published, 1);
});
