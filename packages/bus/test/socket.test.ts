import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { serialize } from 'node:v8';
import { createBroker } from '@grace/bus/broker';
import { createBusClient } from '@grace/bus/client';
import { MAX_SOCKET_PATH, signBusToken } from '@grace/control';
import { poll } from '@grace/testkit';
import { codeOf, createBed, identity, KEY, MUTE, OPEN } from './bed.ts';

const createOpenBroker = () => createBroker({ acl: OPEN, mute: MUTE, maxPayloadBytes: 1e6 });

describe('the socket', () => {
  test('is for its owner alone, and gone when the broker closes', async (t) => {
    const bed = await createBed();
    t.after(() => bed.close());
    assert.equal(statSync(bed.socket).mode & 0o777, 0o600);
    await bed.broker.close();
    assert.throws(() => statSync(bed.socket), { code: 'ENOENT' });
  });

  test('a token that was not signed with the key is turned away, for good', async (t) => {
    const bed = await createBed();
    t.after(() => bed.close());
    const own = signBusToken(identity('a'), KEY);
    const [body, signature] = own.split('.') as [string, string];
    const promoted = Buffer.from(JSON.stringify(identity('supervisor'))).toString('base64url');
    for (const token of [
      '',
      'x',
      `${body}.`,
      `${promoted}.${signature}`,
      signBusToken(identity('a'), Buffer.alloc(32, 8)),
    ]) {
      const client = createBusClient();
      const waiting = codeOf(client.publish('task.a', 1));
      client.dial(bed.socket, token);
      assert.equal(await waiting, 'BUS_UNAUTHENTICATED');
      assert.equal(await codeOf(client.publish('task.a', 1)), 'BUS_UNAUTHENTICATED');
      assert.equal(client.connected, false);
      client.dial(bed.socket, own);
      await poll('a right token is taken', () => client.connected);
      await client.close();
    }
    assert.equal(bed.broker.statistics().accepted, 0);
  });

  test('a file that a killed broker left is replaced, a living broker is not', async (t) => {
    const home = mkdtempSync(join(tmpdir(), 'grace-bus-'));
    t.after(() => rmSync(home, { recursive: true }));
    const path = join(home, 'bus.sock');
    writeFileSync(path, 'left over');
    const [first, second] = [createOpenBroker(), createOpenBroker()];
    await first.listen(path, KEY);
    t.after(() => first.close());
    await assert.rejects(second.listen(path, KEY), { code: 'CONFLICT' });
    await second.close();
    assert.ok(statSync(path).isSocket());
  });

  test('lies as deep as the home does', async (t) => {
    const home = mkdtempSync(join(tmpdir(), 'grace-bus-'));
    t.after(() => rmSync(home, { recursive: true }));
    const deep = join(home, 'deep'.repeat(MAX_SOCKET_PATH / 4));
    mkdirSync(deep);
    const broker = createOpenBroker();
    await broker.listen(join(deep, 'bus.sock'), KEY);
    const client = createBusClient();
    client.dial(join(deep, 'bus.sock'), signBusToken(identity('a'), KEY));
    assert.equal(await codeOf(client.publish('task.a', 1)), 'accepted');
    await client.close();
    await broker.close();
    assert.throws(() => statSync(join(deep, 'bus.sock')), { code: 'ENOENT' });
  });

  test('who dials before the broker is there waits for it', async (t) => {
    const home = mkdtempSync(join(tmpdir(), 'grace-bus-'));
    t.after(() => rmSync(home, { recursive: true }));
    const client = createBusClient();
    t.after(() => client.close());
    client.dial(join(home, 'bus.sock'), signBusToken(identity('a'), KEY));
    const waiting = client.publish('task.a', 1, { deadlineMs: 60_000 });
    const broker = createOpenBroker();
    t.after(() => broker.close());
    await broker.listen(join(home, 'bus.sock'), KEY);
    await waiting;
  });

  test('bytes that are no frames end their own wire and nothing else', async (t) => {
    const bed = await createBed();
    t.after(() => bed.close());
    const other = await bed.connect('socket', 'other');
    const framed = (value: unknown): Buffer => {
      const body = serialize(value);
      const length = Buffer.alloc(4);
      length.writeUInt32LE(body.length);
      return Buffer.concat([length, body]);
    };
    const hello = framed(['hello', 1, 10, 1e6, signBusToken(identity('odd'), KEY)]);
    const odd = [
      Buffer.from('GET / HTTP/1.1\r\n\r\n'),
      Buffer.alloc(4, 0xff),
      framed(null),
      framed(['subscribe', 1, '>', null, null]),
      Buffer.concat([hello, framed('nonsense')]),
      Buffer.concat([hello, framed(['batch', 1, 1000, 0, 0, 0])]),
      Buffer.concat([hello, framed(['batch', 1, -1, 6, 0, 0])]),
      Buffer.concat([hello, hello]),
    ];
    for (const [i, bytes] of odd.entries()) {
      const socket = createConnection(bed.socket);
      socket.on('error', () => {});
      const closed = once(socket.resume(), 'close');
      socket.write(bytes);
      await closed;
      assert.equal(await codeOf(other.publish('task.a', i)), 'accepted');
    }
    assert.deepEqual(
      bed.broker.statistics().clients.map(({ principal }) => principal),
      ['other'],
    );
  });

  test('does not keep the broker from closing while somebody dialled and says nothing', async (t) => {
    const bed = await createBed();
    t.after(() => bed.close());
    const socket = createConnection(bed.socket);
    socket.on('error', () => {});
    await once(socket, 'connect');
    const closed = once(socket.resume(), 'close');
    await (await bed.connect('socket', 'other')).publish('task.a', 1);
    await bed.broker.close();
    await closed;
  });

  test('a process whose clients and broker are closed ends by itself', async () => {
    const script = `
      import { MessageChannel } from 'node:worker_threads';
      import { createBroker } from '@grace/bus/broker';
      import { createBusClient } from '@grace/bus/client';
      import { signBusToken } from '@grace/control';
      const broker = createBroker(${JSON.stringify({ acl: OPEN, mute: MUTE, maxPayloadBytes: 1e6 })});
      const key = Buffer.alloc(32, 7);
      const [,, path] = process.argv;
      await broker.listen(path, key);
      const identity = ${JSON.stringify(identity('a'))};
      const [port, socket] = [createBusClient(), createBusClient()];
      const { port1, port2 } = new MessageChannel();
      broker.attach(port1, identity);
      port.attach(port2);
      socket.dial(path, signBusToken(identity, key));
      await socket.subscribe('ask.*', (message) => message.reply(1));
      await socket.subscribe('stuck', () => new Promise(() => {}));
      await port.request('ask.it', 1);
      await port.publish('stuck', 1);
      broker.mute('b', 60_000);
      broker.permit({ principal: 'b', publish: ['>'], subscribe: [], untilMono: Number(process.hrtime.bigint()) / 1e6 + 60_000 });
      await Promise.all([port.close(), socket.close()]);
      await broker.close();
    `;
    const home = mkdtempSync(join(tmpdir(), 'grace-bus-'));
    const file = join(import.meta.dirname, `ends-${process.pid}.mjs`);
    writeFileSync(file, script);
    const child = spawn(process.execPath, [file, join(home, 'bus.sock')], { stdio: 'inherit' });
    const hurry = setTimeout(() => child.kill('SIGKILL'), 30_000);
    const [code, signal] = await once(child, 'exit');
    clearTimeout(hurry);
    rmSync(file);
    rmSync(home, { recursive: true });
    assert.deepEqual([code, signal], [0, null]);
  });
});
