import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { poll } from '@grace/testkit';
import { type Bench, openBench } from '../fixtures/bench.ts';
import { EventReader } from '../fixtures/event-reader.ts';

describe('the event stream', () => {
  let bench: Bench;
  let token: string;
  const readers: EventReader[] = [];
  const follow = (query = '', headers: Record<string, string> = {}, as = token): EventReader => {
    const reader = new EventReader(bench.port, `/api/v1/events${query}`, { authorization: `Bearer ${as}`, ...headers });
    readers.push(reader);
    return reader;
  };
  const open = async (query = '', headers: Record<string, string> = {}): Promise<EventReader> => {
    const reader = follow(query, headers);
    await reader.until('it is open', () => reader.status === 200);
    return reader;
  };
  const streams = async (): Promise<number> =>
    ((await bench.rig.call('api_server', 'status')) as { streams: number }).streams;
  before(async () => {
    bench = await openBench({
      limits: { streams: 6, streamsPerToken: 4 },
      times: { heartbeatMs: 50, stallMs: 1000 },
      rates: { token: { perSecond: 10_000 }, address: { perSecond: 10_000 } },
    });
    token = await bench.token('viewer');
    await bench.write(10);
  });
  after(() => bench.close());
  const over = async (): Promise<void> => {
    for (const reader of readers.splice(0)) reader.close();
    await poll('every stream has ended', async () => (await streams()) === 0);
  };
  const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, i) => from + i);

  test('begins now, and brings each record with its seq, name and content', async () => {
    const reader = await open();
    const last = bench.journal.at(-1)!.seq;
    await bench.write(3);
    await reader.until('three records', () => reader.events.length === 3);
    assert.deepEqual(reader.ids(), range(last + 1, last + 3));
    assert.deepEqual(
      JSON.parse(reader.events[0]!.data),
      bench.journal.find(({ seq }) => seq === last + 1),
    );
    assert.equal(reader.events[0]!.event, 'system:lag');
    assert.equal(reader.retry, 1000);
    await over();
  });

  test('goes on behind the last id, without a gap and without a repetition, however often it is cut', async () => {
    const seen: number[] = [];
    const first = bench.journal.at(-1)!.seq;
    const writing = (async () => {
      for (let i = 0; i < 40; i++) {
        await bench.write(10);
        await new Promise((resolve) => setImmediate(resolve));
      }
    })();
    let last = first;
    for (let i = 0; seen.length < 400; i++) {
      const reader = await open('', { 'last-event-id': String(last) });
      const wanted = Math.min(400 - seen.length, 7 + i * 30);
      await reader.until('some records', () => reader.events.length >= wanted);
      reader.close();
      // What came is what counts; a reader that is cut says where it was.
      seen.push(...reader.ids());
      last = seen.at(-1)!;
      await poll('the cut is noticed', async () => (await streams()) === 0);
    }
    await writing;
    assert.deepEqual(seen.slice(0, 400), range(first + 1, first + 400));
    await over();
  });

  test('brings records the bus never told of, and goes on when the bus is silent', async () => {
    const reader = await open();
    const last = bench.journal.at(-1)!.seq;
    await bench.write(2, { untold: true });
    await reader.until('they are found', () => reader.events.length === 2);
    assert.deepEqual(reader.ids(), [last + 1, last + 2]);
    await over();
  });

  test('brings what was chosen, and tells its place while it has nothing to say', async () => {
    const reader = await open('?names=kernel:*,incident:open&kernel=scheduler');
    await bench.write(2);
    await bench.write(1, { name: 'kernel:state', kernel: 'librarian' });
    await bench.write(1, { name: 'kernel:state', kernel: 'scheduler' });
    await bench.write(2);
    const last = bench.journal.at(-1)!.seq;
    await reader.until('the one that was chosen', () => reader.events.length === 1);
    assert.deepEqual(reader.ids(), [last - 2]);
    await reader.until('its place is told', () => reader.lastId === String(last) && reader.comments.includes('alive'));
    const again = await open('?names=kernel:*&kernel=scheduler', { 'last-event-id': reader.lastId });
    await bench.write(1, { name: 'kernel:state', kernel: 'scheduler' });
    await again.until('the next', () => again.events.length === 1);
    assert.deepEqual(again.ids(), [last + 1]);
    await over();
  });

  test('refuses a place that is none', async () => {
    for (const id of ['x', '-1', '99999999', '1.5', '1e3']) {
      const reader = follow('', { 'last-event-id': id, connection: 'close' });
      await reader.until('the answer', () => reader.isOver);
      assert.equal(reader.status, 400, id);
      assert.equal(JSON.parse(reader.body).error.code, 'BAD_INPUT');
    }
    await over();
  });

  test('of a reader that takes nothing keeps no queue, cuts it off, and it misses nothing when it is back', async () => {
    const from = bench.journal.at(-1)!.seq;
    const slow = await open();
    slow.socket.pause();
    const quick = await open();
    const buffer = 'x'.repeat(20_000);
    const grow = async (count: number): Promise<void> => {
      for (let i = 0; i < count; i++) {
        await bench.write(1, { untold: true });
        Object.assign(bench.journal.at(-1)!, { data: { lagMs: 1, buffer } });
      }
    };
    // More than the sockets between them hold.
    await grow(600);
    const to = bench.journal.at(-1)!.seq;
    await quick.until('the quick one has all', () => quick.ids().at(-1) === to);
    await poll('the slow one was cut off', async () => (await streams()) === 1);
    assert.deepEqual(quick.ids(), range(from + 1, to));
    slow.socket.resume();
    await slow.until('it sees its end', () => slow.isOver);
    assert.ok(slow.ids().length < 600, 'not all was sent to it');
    const back = await open('', { 'last-event-id': slow.lastId || String(from) });
    await back.until('it has caught up', () => back.ids().at(-1) === to);
    assert.deepEqual([...slow.ids(), ...back.ids()], range(from + 1, to));
    await over();
    for (const record of bench.journal) record.data = { lagMs: 1 } as never;
  });

  test('a flood of streams is bounded for each token and for all, and the server answers on', async () => {
    const alone = Array.from({ length: 10 }, () => follow('', { connection: 'close' }));
    await poll('each has an answer', () => alone.every(({ status }) => status !== 0));
    assert.equal(alone.filter(({ status }) => status === 200).length, 4, 'of one token');
    await over();
    const other = await bench.token('viewer');
    const flood = Array.from({ length: 40 }, (_, i) => follow('', { connection: 'close' }, i % 2 ? token : other));
    await poll('each has an answer', () => flood.every(({ status }) => status !== 0));
    const opened = flood.filter(({ status }) => status === 200).length;
    assert.ok(opened <= 6 && opened >= 4, String(opened));
    assert.ok(flood.every(({ status }) => status === 200 || status === 503));
    assert.equal((await bench.ask('/api/v1/whoami', { token })).status, 200);
    assert.equal((await bench.rig.probe('api_server'))['answered'], 200);
    await over();
  });

  test('ends with its token, at once when it is revoked and soon when its time is over', async () => {
    const short = (await bench.rig.call('api_server', 'tokens', {
      add: { principal: 'bob', role: 'viewer', forMs: 3000 },
    })) as { id: string; token: string };
    const long = (await bench.rig.call('api_server', 'tokens', {
      add: { principal: 'bob', role: 'viewer' },
    })) as typeof short;
    const [first, second] = [follow('', {}, long.token), follow('', {}, short.token)];
    await poll('both are open', () => first.status === 200 && second.status === 200);
    await bench.rig.call('api_server', 'tokens', { revoke: long.id });
    await first.until('its end', () => first.isOver);
    assert.deepEqual(JSON.parse(first.events.at(-1)!.data), { reason: 'the token was revoked' });
    await second.until('its end', () => second.isOver);
    assert.deepEqual(JSON.parse(second.events.at(-1)!.data), { reason: 'the token is not valid any more' });
    await over();
  });
});

describe('a drain', () => {
  test('ends streams with a time to come back, lets a call finish, takes nothing new, and cuts off what is too slow', async () => {
    const bench = await openBench({ times: { drainMs: 3000 } });
    const token = await bench.token('operator');
    const gate = Promise.withResolvers<void>();
    bench.verb = ({ verb }) => (verb === 'jobs' ? gate.promise.then(() => 'done') : new Promise(() => {}));
    const reader = new EventReader(bench.port, '/api/v1/events', { authorization: `Bearer ${token}` });
    await reader.until('it is open', () => reader.status === 200);
    const call = (verb: string) => bench.ask(`/api/v1/kernels/scheduler/verbs/${verb}`, { method: 'POST', token });
    const quick = call('jobs');
    const slow = call('status').then(
      () => 'answered',
      () => 'cut off',
    );
    await poll('both run', () => bench.calls.length === 2);
    const closing = bench.close();
    await reader.until('the stream ends', () => reader.isOver);
    assert.deepEqual([reader.events.at(-1)?.event, reader.retry], ['end', 1000]);
    await assert.rejects(fetch(`${bench.url}/healthz`));
    gate.resolve();
    const { status, body, headers } = await quick;
    assert.deepEqual([status, body.answer, headers.get('connection')], [200, 'done', 'close']);
    assert.equal(await slow, 'cut off');
    await closing;
  });
});
