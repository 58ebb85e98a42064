import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { type GraceError, MAX_LINE_BYTES } from '@grace/contracts';
import { Channel, type ChannelOptions } from '../src/index.ts';

let folder: string;
let server: Server;
let sockets: Socket[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'grace-control-'));
  sockets = [];
});

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await new Promise<void>((resolve) => (server?.listening ? server.close(() => resolve()) : resolve()));
  rmSync(folder, { recursive: true });
});

/** Two ends of a real socket; `answering` makes the channel of the far end. */
async function connectPair(
  answering: ChannelOptions,
  asking: ChannelOptions = {},
): Promise<{ near: Channel; far: Channel; farSocket: Socket }> {
  const path = join(folder, 's.sock');
  const arrived = Promise.withResolvers<Socket>();
  server = createServer((socket) => arrived.resolve(socket));
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const nearSocket = createConnection(path);
  const farSocket = await arrived.promise;
  sockets.push(nearSocket, farSocket);
  return { near: new Channel(nearSocket, asking), far: new Channel(farSocket, answering), farSocket };
}

/** Listens without a channel on top, for bytes that no channel would send. */
async function connectRaw(asking: ChannelOptions = {}): Promise<{ near: Channel; raw: Socket }> {
  const path = join(folder, 's.sock');
  const arrived = Promise.withResolvers<Socket>();
  server = createServer((socket) => arrived.resolve(socket));
  await new Promise<void>((resolve) => server.listen(path, resolve));
  const nearSocket = createConnection(path);
  const raw = await arrived.promise;
  raw.on('error', () => {});
  sockets.push(nearSocket, raw);
  return { near: new Channel(nearSocket, asking), raw };
}

const never = (): Promise<never> => new Promise(() => {});

describe('a request', { timeout: 30_000 }, () => {
  test('is answered, in both directions on one connection', async () => {
    const { near, far } = await connectPair(
      { onRequest: (method, params) => ({ method, params }) },
      { onRequest: () => 'from the other side' },
    );
    assert.deepEqual(await near.request('add', { a: 1 }, 5000), { method: 'add', params: { a: 1 } });
    assert.equal(await far.request('x', {}, 5000), 'from the other side');
  });

  test('that nobody answers is rejected at its deadline with DEADLINE', async () => {
    const { near } = await connectPair({ onRequest: never });
    await assert.rejects(near.request('slow', {}, 30), { code: 'DEADLINE', message: /"slow" within 30 ms/ });
  });

  test('whose answer comes after the deadline leaves the connection usable', async () => {
    const late = Promise.withResolvers<string>();
    const { near } = await connectPair({ onRequest: (method) => (method === 'late' ? late.promise : 'prompt') });
    await assert.rejects(near.request('late', {}, 20), { code: 'DEADLINE' });
    late.resolve('too late');
    assert.equal(await near.request('next', {}, 5000), 'prompt');
  });

  test('that throws over there arrives here with its code and details', async () => {
    const { near } = await connectPair({
      onRequest: () => {
        throw Object.assign(new Error('no kernel "x"'), { code: 'UNKNOWN_KERNEL', details: { kernel: 'x' } });
      },
    });
    const error = await near.request('restart', {}, 5000).catch((caught: GraceError) => caught);
    assert.equal((error as GraceError).code, 'UNKNOWN_KERNEL');
    assert.equal((error as GraceError).details['kernel'], 'x');
  });

  test('to a side that answers none is UNKNOWN_METHOD', async () => {
    const { near } = await connectPair({});
    await assert.rejects(near.request('x', {}, 5000), { code: 'UNKNOWN_METHOD' });
  });
});

describe('closing', { timeout: 30_000 }, () => {
  test('rejects every pending request at once with CONNECTION_CLOSED', async () => {
    const { near, far } = await connectPair({ onRequest: never });
    const pending = Promise.allSettled([near.request('a', {}, 60_000), near.request('b', {}, 60_000)]);
    await new Promise((resolve) => setImmediate(resolve));
    far.close();
    for (const result of await pending) {
      assert.equal(result.status, 'rejected');
      assert.equal((result.reason as GraceError).code, 'CONNECTION_CLOSED');
    }
    assert.equal(near.closed, true);
  });

  test('by the own side rejects too, and later requests are refused at once', async () => {
    const { near } = await connectPair({ onRequest: never });
    const pending = assert.rejects(near.request('a', {}, 60_000), { code: 'CONNECTION_CLOSED' });
    near.close();
    await pending;
    await assert.rejects(near.request('b', {}, 60_000), { code: 'CONNECTION_CLOSED' });
    assert.equal(near.notice('n', {}), false);
  });

  test('is told once', async () => {
    let told = 0;
    const closed = Promise.withResolvers<void>();
    const { near, farSocket } = await connectPair(
      {},
      {
        onClose: () => {
          told++;
          closed.resolve();
        },
      },
    );
    farSocket.destroy();
    await closed.promise;
    near.close();
    assert.equal(told, 1);
  });
});

describe('a peer that misbehaves', { timeout: 30_000 }, () => {
  async function closeReason(bytes: string | Buffer): Promise<GraceError | undefined> {
    const closed = Promise.withResolvers<GraceError | undefined>();
    const { raw } = await connectRaw({ onClose: closed.resolve });
    raw.write(bytes);
    return closed.promise;
  }

  test('is cut off when a line is longer than the limit, before it fills the memory', async () => {
    const error = await closeReason(Buffer.alloc(MAX_LINE_BYTES + 100_000, 'x'));
    assert.equal(error?.code, 'PROTOCOL');
  });

  test('is cut off when it sends what is no JSON, or no frame', async () => {
    assert.equal((await closeReason('hello\n'))?.code, 'PROTOCOL');
  });

  test('is cut off when it sends JSON that is no frame', async () => {
    assert.equal((await closeReason('{"t":"surprise"}\n'))?.code, 'PROTOCOL');
  });

  test('may answer a request nobody made: it is ignored', async () => {
    const got = Promise.withResolvers<string>();
    const { raw } = await connectRaw({ onNotice: got.resolve });
    raw.write('{"t":"result","id":99,"value":1}\n{"t":"notice","name":"still here","data":null}\n');
    assert.equal(await got.promise, 'still here');
  });

  test('that floods with requests gets CONFLICT beyond the limit, and the rest go on', async () => {
    const gate = Promise.withResolvers<string>();
    const { near } = await connectPair({ onRequest: () => gate.promise, maxConcurrent: 3 });
    const all = Array.from({ length: 10 }, (_, i) => near.request(`r${i}`, {}, 20_000));
    const refused = await Promise.allSettled(all.slice(3));
    for (const result of refused) {
      assert.equal(result.status, 'rejected');
      assert.equal((result.reason as GraceError).code, 'CONFLICT');
    }
    gate.resolve('done');
    assert.deepEqual(await Promise.all(all.slice(0, 3)), ['done', 'done', 'done']);
    assert.equal(await near.request('again', {}, 5000), 'done');
  });

  test('that does not read loses notices and is not hoarded for', async () => {
    const { near, farSocket } = await connectPair({});
    farSocket.pause();
    const data = 'x'.repeat(1e6);
    let dropped = 0;
    for (let i = 0; i < 30; i++) if (!near.notice('n', data)) dropped++;
    assert.ok(dropped > 0);
  });
});
