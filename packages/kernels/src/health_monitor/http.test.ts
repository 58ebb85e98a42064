import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, describe, test } from 'node:test';
import fc from 'fast-check';
import { readAddress } from './address.ts';
import { askAddress } from './http.ts';

/** A server whose paths misbehave, each in its own way. */
const misbehaviour: Record<string, (request: IncomingMessage, response: ServerResponse) => void> = {
  '/well': (_, response) => void response.end('all is well'),
  '/wrong': (_, response) => void response.writeHead(503).end('no'),
  '/never': () => {},
  '/reset': (request) => void request.socket.destroy(),
  '/half': (request, response) => {
    response.writeHead(200, { 'content-length': 1000 });
    response.write('half', () => request.socket.destroy());
  },
  '/drips': (_, response) => {
    response.writeHead(200);
    const timer = setInterval(() => response.write('.'), 20);
    response.on('close', () => clearInterval(timer));
  },
  '/huge': (_, response) => {
    response.writeHead(200);
    const more = (): void => {
      let goesOn = !response.destroyed;
      while (goesOn) {
        sent += 65_536;
        goesOn = response.write(Buffer.alloc(65_536, 'x'));
      }
    };
    response.on('drain', more);
    more();
  },
  '/loop': (_, response) => {
    loops += 1;
    response.writeHead(302, { location: '/loop' }).end();
  },
  '/once': (_, response) => void response.writeHead(307, { location: '/well' }).end(),
  '/away': (_, response) => void response.writeHead(302, { location: 'http://192.0.2.1/' }).end(),
  '/file': (_, response) => void response.writeHead(302, { location: 'file:///etc/passwd' }).end(),
  '/headers': (_, response) => {
    for (let i = 0; i < 40; i++) response.setHeader(`x-${i}`, 'y'.repeat(1000));
    response.end('all is well');
  },
};
let sent = 0;
let loops = 0;
const server = createServer((request, response) => misbehaviour[request.url!]!(request, response));
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
after(() => {
  server.closeAllConnections();
  server.close();
});

const ask = (
  path: string,
  given: { contains?: string; redirects?: number; deadlineMs?: number } = {},
): Promise<string> =>
  askAddress(
    { kind: 'http', url: base + path, status: 200, contains: given.contains ?? null, redirects: given.redirects ?? 0 },
    given.deadlineMs ?? 20_000,
    [],
  );

describe('an address', () => {
  test('passes with its status and its text', async () => {
    assert.equal(await ask('/well', { contains: 'is well' }), 'status 200');
    await assert.rejects(ask('/well', { contains: 'is ill' }), /does not contain "is ill"/);
    await assert.rejects(ask('/wrong'), /status 503, expected 200/);
  });

  test('that never answers, or not to the end, is given up at the deadline', async () => {
    await assert.rejects(ask('/never', { deadlineMs: 200 }), /no whole answer within 200 ms/);
    await assert.rejects(ask('/drips', { contains: 'end', deadlineMs: 200 }), /no whole answer within 200 ms/);
  });

  test('that breaks off is told as that', async () => {
    await assert.rejects(ask('/reset'), /fetch failed: (UND_ERR_SOCKET|ECONNRESET)/);
    await assert.rejects(ask('/half', { contains: 'whole' }), /UND_ERR|ECONNRESET|terminated/);
    await assert.rejects(
      askAddress({ kind: 'http', url: 'http://127.0.0.1:9/', status: 200, contains: null, redirects: 0 }, 20_000, []),
      /fetch failed: ECONNREFUSED|bad port/,
    );
    await assert.rejects(ask('/headers', { contains: 'well' }), /UND_ERR_HEADERS_OVERFLOW/);
  });

  test('that sends without end is read to a bound, and let go', async () => {
    await assert.rejects(ask('/huge', { contains: 'y' }), /does not contain/);
    assert.ok(sent < 50_000_000, `${sent} bytes were sent`);
  });

  test('is followed as often as is allowed, and only to where a probe may go', async () => {
    await assert.rejects(ask('/once'), /status 307, expected 200/);
    assert.equal(await ask('/once', { redirects: 1, contains: 'well' }), 'status 200');
    await assert.rejects(ask('/loop', { redirects: 5 }), /sent on more than 5 times/);
    assert.equal(loops, 6);
    await assert.rejects(ask('/away', { redirects: 5 }), {
      code: 'FORBIDDEN',
      message: /192\.0\.2\.1 is not this machine/,
    });
    await assert.rejects(ask('/file', { redirects: 5 }), { code: 'BAD_INPUT' });
  });
});

describe('where a probe may go', () => {
  const allowed = (url: string, hosts: string[] = []): boolean => {
    try {
      readAddress(url, hosts, 'url');
      return true;
    } catch {
      return false;
    }
  };
  test('this machine, by every spelling that means it, and hosts of the configuration', () => {
    for (const url of [
      'http://localhost:1/',
      'https://127.0.0.1/',
      'http://[::1]:80/',
      'http://127.1/',
      'http://0x7f000001/',
      'http://2130706433/',
    ])
      assert.ok(allowed(url), url);
    assert.ok(allowed('https://status.example/x', ['status.example']));
  });

  test('nowhere else', () => {
    for (const url of [
      'http://example.com/',
      'http://localhost.example.com/',
      'http://127.0.0.1.example.com/',
      'http://127.0.0.1@example.com/',
      'http://user:secret@127.0.0.1/',
      'http://169.254.169.254/latest/meta-data/',
      'http://0.0.0.0/',
      'http://[::ffff:10.0.0.1]/',
      'http://10.0.0.1/',
      'file:///etc/passwd',
      'ftp://127.0.0.1/',
      'unix:/run/x.sock',
      'javascript:alert(1)',
      'http://',
      '',
      'http://sub.status.example/',
    ])
      assert.ok(!allowed(url, ['status.example']), url);
    fc.assert(
      fc.property(
        fc.oneof(
          fc.webUrl(),
          fc.string(),
          fc.ipV4().map((ip) => `http://${ip}/`),
        ),
        (url) => {
          const { hostname } = URL.parse(url) ?? { hostname: '' };
          if (allowed(url)) assert.match(hostname, /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/);
        },
      ),
    );
  });
});
