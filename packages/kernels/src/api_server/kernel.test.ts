import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type ErrorCode, GraceError } from '@grace/contracts';
import { poll } from '@grace/testkit';
import { type Bench, openBench, serverOf } from './fixtures/bench.ts';

const coded =
  (code: ErrorCode, message = /./) =>
  (error: unknown) => {
    assert.ok(error instanceof GraceError, String(error));
    assert.equal(error.code, code);
    assert.match(error.message, message);
    return true;
  };

describe('the functional probe', () => {
  test('sees a request answered and one without a token refused', async () => {
    const bench = await openBench();
    try {
      const seen = await bench.rig.probe('api_server');
      assert.deepEqual([seen['answered'], seen['refused'], seen['at']], [200, 401, bench.port]);
    } finally {
      await bench.close();
    }
  });

  test('fails when the listening socket was closed from inside', async () => {
    const bench = await openBench();
    try {
      const server = await serverOf(bench);
      server.close();
      server.closeAllConnections();
      await assert.rejects(bench.rig.probe('api_server'), coded('INTERNAL', /does not do its job/));
    } finally {
      await bench.close();
    }
  });

  test('fails when everybody is let in, and when nobody is', async () => {
    for (const status of [200, 401]) {
      const bench = await openBench();
      try {
        const server = await serverOf(bench);
        server.removeAllListeners('request');
        server.on('request', (_, response) => response.writeHead(status).end('{"principal":"probe"}'));
        const why = status === 200 ? /without a token was answered with 200/ : /with a token was answered with 401/;
        await assert.rejects(bench.rig.probe('api_server'), coded('INTERNAL', why));
      } finally {
        await bench.close();
      }
    }
  });

  test('its token is nowhere on disk, and no other server takes it', async () => {
    const bench = await openBench();
    const seen: string[] = [];
    const thief = createServer((request, response) => {
      seen.push(request.headers.authorization ?? '');
      response.end('{}');
    });
    try {
      // Its own server is gone, and somebody else listens there: the probe gives its token to whoever that is.
      const server = await serverOf(bench);
      server.close();
      server.closeAllConnections();
      await poll('the port is free', () => !server.listening);
      await new Promise<void>((resolve) => thief.listen(bench.port, '127.0.0.1', resolve));
      await assert.rejects(bench.rig.probe('api_server'), coded('INTERNAL'));
      const [stolen] = seen;
      assert.match(stolen!, /^Bearer grace_00000000_/);
      thief.close();
      thief.closeAllConnections();
      const other = await openBench();
      try {
        assert.equal((await other.ask('/api/v1/whoami', { token: stolen!.slice(7) })).status, 401);
      } finally {
        await other.close();
      }
      const store = readFileSync(join(bench.rig.stateDir('api_server'), 'store.sqlite'), 'latin1');
      assert.ok(!store.includes(stolen!.slice(22)));
    } finally {
      thief.close();
      await bench.close();
    }
  });
});

describe('the address', () => {
  test('stands in a file for its owner alone while the server is there, and is the same after a restart', async () => {
    const bench = await openBench();
    const file = join(bench.rig.stateDir('api_server'), 'api.json');
    try {
      assert.equal(statSync(file).mode & 0o777, 0o600);
      assert.deepEqual(JSON.parse(readFileSync(file, 'utf8')), { url: bench.url, pid: process.pid, incarnation: 1 });
      await bench.rig.restart('api_server');
      assert.equal(JSON.parse(readFileSync(file, 'utf8')).url, bench.url);
      assert.equal((await bench.ask('/healthz')).status, 200);
    } finally {
      await bench.close();
    }
    assert.ok(!existsSync(file));
  });

  test('a port of its own that is taken is an error that names it; a free one is found when any will do', async () => {
    const first = await openBench();
    try {
      await assert.rejects(
        openBench({ listen: { port: first.port } }),
        coded('API_LISTEN', new RegExp(`127\\.0\\.0\\.1:${first.port}: somebody else listens there`)),
      );
      const second = await openBench();
      assert.notEqual(second.port, first.port);
      await second.close();
    } finally {
      await first.close();
    }
  });

  test('a socket file serves its owner, replaces one that was left, and spares one that is in use', async () => {
    const first = await openBench();
    const path = join(first.rig.home, 'api.sock');
    const bench = await openBench({ listen: { socket: path } });
    try {
      assert.equal(statSync(path).mode & 0o777, 0o600);
      assert.deepEqual(await bench.rig.probe('api_server'), { answered: 200, refused: 401, at: path });
      await assert.rejects(openBench({ listen: { socket: path } }), coded('API_LISTEN', /somebody else listens/));
      await assert.rejects(
        openBench({ listen: { socket: join(first.rig.stateDir('api_server'), 'api.json') } }),
        coded('API_LISTEN', /no socket/),
      );
    } finally {
      await bench.close();
      await first.close();
    }
  });
});

describe('verbs of the kernel', () => {
  let bench: Bench;
  before(async () => {
    bench = await openBench();
  });
  after(() => bench.close());
  const call = (verb: string, input: unknown) => bench.rig.call('api_server', verb, input);

  test('give, list and take tokens', async () => {
    const made = (await call('tokens', { add: { principal: 'bob', role: 'viewer', forMs: 60_000 } })) as Record<
      string,
      string
    >;
    const [listed] = ((await call('tokens', {})) as Record<string, unknown>[]).filter(({ id }) => id === made['id']);
    assert.deepEqual([listed!['principal'], listed!['by'], listed!['token']], ['bob', 'test', undefined]);
    assert.equal((await bench.ask('/api/v1/whoami', { token: made['token']! })).status, 200);
    await call('tokens', { revoke: made['id'] });
    assert.equal((await bench.ask('/api/v1/whoami', { token: made['token']! })).status, 401);
    await assert.rejects(call('tokens', { revoke: made['id'] }), coded('NOT_FOUND'));
  });

  test('refuse what is no wish', async () => {
    const circle: Record<string, unknown> = {};
    circle['add'] = circle;
    const bad: unknown[] = [
      { add: {} },
      { add: { principal: 'Bob', role: 'viewer' } },
      { add: { principal: 'cli:x', role: 'viewer' } },
      { add: { principal: '../x', role: 'viewer' } },
      { add: { principal: 'x'.repeat(65), role: 'viewer' } },
      { add: { principal: 'bob', role: 'viewr' } },
      { add: { principal: 'bob', role: 'viewer', verbs: [] } },
      { add: { principal: 'bob', role: 'viewer', verbs: ['scheduler'] } },
      { add: { principal: 'bob', role: 'viewer', verbs: ['a.b.c'] } },
      { add: { principal: 'bob', role: 'viewer', forMs: 0 } },
      { add: { principal: 'bob', role: 'viewer', forMs: Number.NaN } },
      { add: { principal: 'bob', role: 'viewer', hash: 'x' } },
      { revoke: "' OR 1=1" },
      { revoke: 7 },
      { add: { principal: 'bob', role: 'viewer' }, revoke: '00000000' },
      circle,
      'x'.repeat(1000),
      7,
    ];
    const before = ((await call('tokens', {})) as unknown[]).length;
    for (const input of bad) await assert.rejects(call('tokens', input), coded('BAD_INPUT'));
    await assert.rejects(call('status', { x: 1 }), coded('BAD_INPUT'));
    await assert.rejects(call('routes', []), coded('BAD_INPUT'));
    assert.equal(((await call('tokens', {})) as unknown[]).length, before);
  });

  test('give tokens to owners alone', async () => {
    const stranger = bench.rig.bus('scheduler');
    await assert.rejects(
      stranger.request('kernel.api_server.call.tokens', { add: { principal: 'x', role: 'admin' } }),
      coded('FORBIDDEN', /scheduler gives and takes no tokens/),
    );
  });

  test('list every route with the least role that may', async () => {
    const routes = (await call('routes', {})) as { path: string; role: string | null }[];
    assert.deepEqual(
      routes.filter(({ role }) => role === null).map(({ path }) => path),
      ['/healthz', '/readyz'],
    );
    assert.ok(routes.filter(({ path }) => path.startsWith('/api/v1/tokens')).every(({ role }) => role === 'admin'));
  });

  test('settings that are none are refused with their place', async () => {
    const bad: [Record<string, unknown>, RegExp][] = [
      [{ listen: { port: 70_000 } }, /listen|port/],
      [{ listen: { port: 1, socket: '/x' } }, /not both/],
      [{ listen: { socket: 'x' } }, /absolute/],
      [{ open: ['/api/v1/status'] }, /open/],
      [{ reports: ['x'] }, /absolute/],
      [{ rates: { token: { burst: 1 } } }, /perSecond/],
      [{ limits: { bodyBites: 1 } }, /bodyBytes/],
    ];
    for (const [config, message] of bad) await assert.rejects(openBench(config), coded('CONFIG_INVALID', message));
  });
});
