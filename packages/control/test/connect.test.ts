import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { HOME } from '@grace/contracts';
import { Channel, connectControl, connectSocket, MAX_SOCKET_PATH, shortSocketPath } from '../src/index.ts';

let folder: string;
const servers: Server[] = [];
const sockets: Socket[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'grace-connect-'));
});

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await Promise.all(servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
  rmSync(folder, { recursive: true });
});

async function listen(path: string, onSocket: (socket: Socket) => void = () => {}): Promise<void> {
  const server = createServer((socket) => {
    sockets.push(socket);
    onSocket(socket);
  });
  servers.push(server);
  const short = shortSocketPath(path);
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(short.path, resolve));
  short.done();
}

const openDescriptors = (): number => readdirSync('/proc/self/fd').length;

describe('connecting', { timeout: 30_000 }, () => {
  test('where nobody listens is NOT_RUNNING, also at a stale socket file', async () => {
    await assert.rejects(connectSocket(join(folder, 'none.sock'), 5000), { code: 'NOT_RUNNING' });
    const stale = join(folder, 'stale.sock');
    writeFileSync(stale, '');
    await assert.rejects(connectSocket(stale, 5000), { code: 'NOT_RUNNING' });
  });

  test('to a home without a folder is NOT_RUNNING', async () => {
    await assert.rejects(connectControl(join(folder, 'nowhere'), { role: 'client', name: 't' }), {
      code: 'NOT_RUNNING',
    });
  });

  test('to a home with a very long path works, and leaves no descriptor behind', async () => {
    const home = join(folder, 'a'.repeat(80), 'b'.repeat(80));
    const path = join(home, HOME.controlSocket);
    assert.ok(path.length > MAX_SOCKET_PATH);
    mkdirSync(join(home, 'run'), { recursive: true });
    await listen(path, (socket) => {
      new Channel(socket, { onRequest: (method) => ({ method, pid: 1, version: 'v', armed: false }) });
    });
    const before = openDescriptors();
    const client = await connectControl(home, { role: 'client', name: 't' });
    assert.equal(client.supervisor.pid, 1);
    client.close();
    // A long path that leads nowhere must not leak either.
    for (let i = 0; i < 20; i++) {
      await assert.rejects(connectSocket(join(home, 'run', 'none.sock'), 5000), { code: 'NOT_RUNNING' });
    }
    assert.ok(openDescriptors() <= before + 4, `${openDescriptors()} descriptors are open, ${before} were`);
  });

  test('to a home with a long path that is not there is NOT_RUNNING too', async () => {
    const home = join(folder, 'c'.repeat(120));
    await assert.rejects(connectControl(home, { role: 'client', name: 't' }), { code: 'NOT_RUNNING' });
  });

  test('to someone who never says hello ends at the deadline', async () => {
    mkdirSync(join(folder, 'run'));
    await listen(join(folder, HOME.controlSocket));
    await assert.rejects(connectControl(folder, { role: 'client', name: 't' }, 50), { code: 'DEADLINE' });
  });

  test('hands notices to the handler of their name', async () => {
    mkdirSync(join(folder, 'run'));
    let far: Channel | undefined;
    await listen(join(folder, HOME.controlSocket), (socket) => {
      far = new Channel(socket, { onRequest: () => ({ pid: 1, version: 'v', armed: false }) });
    });
    const client = await connectControl(folder, { role: 'client', name: 't' });
    const got = Promise.withResolvers<unknown>();
    client.onNotice('journal', got.resolve);
    far!.notice('unheard of', {});
    far!.notice('journal', { records: [], missed: 3 });
    assert.deepEqual(await got.promise, { records: [], missed: 3 });
    client.close();
  });
});
