import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { isErrorCode } from '@grace/contracts';
import { poll } from '@grace/testkit';
import fc from 'fast-check';
import { type Bench, openBench } from '../fixtures/bench.ts';
import { hold, type RawAnswer, sendRaw } from '../fixtures/raw.ts';

const CALL = '/api/v1/kernels/scheduler/verbs/add';

/** The one form of every error: a code of the registry, a message, headers that keep browsers out. */
function checkError(answer: RawAnswer | null, statuses: readonly number[], about: string): void {
  assert.ok(answer, `${about}: no answer`);
  assert.ok(statuses.includes(answer.status), `${about}: ${answer.status} ${answer.text.slice(0, 200)}`);
  const { error, ...rest } = JSON.parse(answer.text) as { error: { code: string; message: string } };
  assert.deepEqual(rest, {}, about);
  assert.ok(
    isErrorCode(error.code) && error.code !== 'INTERNAL' && error.message.length > 5,
    `${about}: ${answer.text}`,
  );
  assert.ok(!/node_modules|\.ts:\d|at .*\(/.test(answer.text), `${about} tells where it broke`);
  assert.equal(answer.headers['content-type'], 'application/json; charset=utf-8', about);
  assert.equal(answer.headers['x-content-type-options'], 'nosniff', about);
}

describe('a hostile client', () => {
  let bench: Bench;
  let token: string;
  before(async () => {
    bench = await openBench({
      limits: { bodyBytes: 4096, headerBytes: 4096, connections: 24, streams: 4 },
      rates: { token: { perSecond: 1e5 }, address: { perSecond: 1e5 }, refused: { perSecond: 1e5 } },
    });
    token = await bench.token('operator');
  });
  after(async () => {
    assert.equal((await bench.rig.probe('api_server'))['answered'], 200, 'it has survived');
    const failures = bench.rig.logs.filter(({ level }) => level === 'error');
    assert.deepEqual(failures, [], 'nothing broke inside');
    await bench.close();
  });
  const post = (body: string | Buffer, headers = 'content-type: application/json\r\n'): Buffer =>
    Buffer.concat([
      Buffer.from(
        `POST ${CALL} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token}\r\n${headers}content-length: ${Buffer.byteLength(body)}\r\n\r\n`,
      ),
      Buffer.from(body),
    ]);
  const get = (path: string, more = '', method = 'GET'): string =>
    `${method} ${path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token}\r\n${more}\r\n`;

  test('with bodies that are no JSON, too deep, too large, or poisoned is told so', async () => {
    const called = bench.calls.length;
    const bodies: [string, string | Buffer, number[]][] = [
      ['half', '{"id":', [400]],
      ['nothing', '', [400]],
      ['single quotes', "{'a':1}", [400]],
      ['two documents', '{}{}', [400]],
      ['NaN', '{"a":NaN}', [400]],
      ['a byte order', Buffer.from([0xff, 0xfe, 0x7b, 0x7d]), [400]],
      ['bad UTF-8', Buffer.concat([Buffer.from('{"a":"'), Buffer.from([0xc3, 0x28]), Buffer.from('"')]), [400]],
      ['deep lists', '['.repeat(2000), [400]],
      ['deep lists that end', '['.repeat(1000) + ']'.repeat(1000), [400]],
      ['deep objects', '{"a":'.repeat(600), [400]],
      ['__proto__', '{"__proto__":{"admin":true}}', [400]],
      ['__proto__ inside', '{"a":{"b":[{"__proto__":{"admin":true}}]}}', [400]],
      ['__proto__ escaped', '{"\\u005f_proto__":{"admin":true}}', [400]],
      ['constructor', '{"constructor":{"prototype":{"admin":true}}}', [400]],
      ['too large', `"${'x'.repeat(5000)}"`, [413]],
      ['random', randomBytes(500), [400]],
    ];
    for (const [about, body, statuses] of bodies) checkError(await sendRaw(bench.port, post(body)), statuses, about);
    assert.equal(bench.calls.length, called, 'nothing of it was called');
    assert.equal(({} as Record<string, unknown>)['admin'], undefined);
  });

  test('with other types of content is told so', async () => {
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'application/xml',
      '*/*',
      'json',
      '\u007f',
    ])
      checkError(await sendRaw(bench.port, post('{}', `content-type: ${type}\r\n`)), [400, 415], type);
    checkError(await sendRaw(bench.port, post('{}', '')), [415], 'none');
  });

  test('with requests that are no HTTP, or ambiguous, is told so and cut off', async () => {
    const requests: [string, string | Buffer, number[]][] = [
      ['noise', randomBytes(2000), [400]],
      ['TLS', Buffer.from('16030100a5010000a10303', 'hex'), [400]],
      ['HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', [400, 505]],
      ['HTTP/0.9', 'GET /\r\n\r\n', [400, 401]],
      ['no host', 'GET /healthz HTTP/1.1\r\n\r\n', [400]],
      ['two lengths', get('/healthz', 'content-length: 1\r\ncontent-length: 2\r\n'), [400]],
      ['length and chunks', post('{}', 'transfer-encoding: chunked\r\ncontent-type: application/json\r\n'), [400]],
      ['negative length', get('/healthz', 'content-length: -1\r\n'), [400]],
      [
        'bad chunk',
        `${get(CALL, 'transfer-encoding: chunked\r\ncontent-type: application/json\r\n', 'POST')}zz\r\n`,
        [400],
      ],
      ['a line within a header', get('/healthz', 'x: a\nb: c\r\n'), [200, 400]],
      ['a NUL', get('/healthz\0'), [400]],
      ['one huge header', get('/healthz', `x: ${'a'.repeat(9000)}\r\n`), [431]],
      ['many headers', get('/healthz', Array.from({ length: 2000 }, (_, i) => `x${i}: a\r\n`).join('')), [431]],
      ['a huge path', get(`/${'a'.repeat(9000)}`), [431]],
      ['an expectation', get('/healthz', 'expect: everything\r\n'), [417]],
      ['bad escapes', get('/api/v1/kernels/%zz'), [400]],
      ['half an escape', get('/api/v1/kernels/%e0%a4'), [400]],
    ];
    for (const [about, bytes, statuses] of requests) {
      const answer = await sendRaw(bench.port, bytes, { deadlineMs: 30_000 });
      if (answer?.status === 200) continue;
      checkError(answer, statuses, about);
    }
  });

  test('with methods and paths that are not there is told so', async () => {
    for (const method of ['PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS', 'TRACE', 'PROPFIND', 'QUERY']) {
      const answer = await sendRaw(bench.port, get('/api/v1/status', 'connection: close\r\n', method));
      if (method === 'HEAD') assert.equal(answer?.status, 405);
      else checkError(answer, [400, 404, 405], method);
      if (answer?.status === 405) assert.equal(answer.headers['allow'], 'GET', method);
    }
    for (const path of [
      '/',
      '/api',
      '/api/v2/status',
      '/../etc/passwd',
      '/%2e%2e/etc/passwd',
      '/api/v1/status/',
      '/API/V1/STATUS',
      '//api/v1/status',
      '/api/v1/status;x',
      '/api/v1/kernels/',
      '*',
    ])
      checkError(await sendRaw(bench.port, get(path)), [400, 404], path);
    for (const query of [
      '?__proto__=1',
      '?constructor=1',
      '?limit=1&limit=2',
      '?names[]=x',
      '?limit=%00',
      `?${'a=1&'.repeat(500)}`,
    ])
      checkError(await sendRaw(bench.port, get(`/api/v1/journal${query}`)), [400, 431], query);
  });

  test('with anything at all never gets an answer of another form, and never an error of ours', async () => {
    const word = fc.oneof(
      fc.string({ maxLength: 20 }),
      fc.constantFrom('..', '%2e', '%00', 'kernels', 'scheduler', '__proto__', ':x', '*'),
    );
    const path = fc.array(word, { maxLength: 5 }).map((parts) => `/api/v1/${parts.join('/')}`);
    const header = fc.tuple(
      fc.constantFrom('accept', 'range', 'if-match', 'content-type', 'last-event-id', 'expect', 'upgrade', 'cookie'),
      fc.string({ maxLength: 30 }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('GET', 'POST', 'DELETE', 'PUT'),
        path,
        fc.array(header, { maxLength: 3 }),
        fc.oneof(fc.json(), fc.string(), fc.constant('')),
        async (method, at, headers, body) => {
          const clean = (text: string): string => text.replace(/[\r\n]/g, ' ');
          const lines = headers.map(([name, value]) => `${name}: ${clean(value)}\r\n`).join('');
          const answer = await sendRaw(
            bench.port,
            `${method} ${clean(at).replaceAll(' ', '%20')} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token}\r\nconnection: close\r\n${lines}content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
          );
          // An event stream has no end of its own; it is not among these paths.
          if (answer && answer.status >= 400)
            checkError(answer, [400, 403, 404, 405, 413, 415, 417, 431], `${method} ${at}`);
          else assert.ok(answer, `${method} ${at}`);
        },
      ),
      { numRuns: 150, endOnFailure: true },
    );
  });

  test('who holds more connections than there may be keeps nobody out', async () => {
    const held: Socket[] = [];
    try {
      for (let i = 0; i < 60; i++) held.push(await hold(bench.port, i % 2 ? 'GET /healthz HTTP/1.1\r\n' : ''));
      assert.equal((await bench.rig.probe('api_server'))['answered'], 200);
      assert.equal((await bench.ask('/api/v1/whoami', { token })).status, 200);
      const status = (await bench.rig.call('api_server', 'status')) as { connections: number; evicted: number };
      assert.ok(status.connections <= 24 && status.evicted >= 30, JSON.stringify(status));
    } finally {
      for (const socket of held) socket.destroy();
    }
  });
});

describe('rates', () => {
  test('of a token and of those who guess are told apart, and the probe is never refused', async () => {
    const bench = await openBench({
      rates: {
        token: { perSecond: 0.01, burst: 5 },
        address: { perSecond: 0.01, burst: 40 },
        refused: { perSecond: 0.01, burst: 3 },
      },
    });
    try {
      const [one, two] = [await bench.token('viewer'), await bench.token('viewer')];
      const ask = async (token?: string) => await bench.ask('/api/v1/whoami', { ...(token ? { token } : {}) });
      const guesses = [];
      for (let i = 0; i < 6; i++) guesses.push((await ask(`${one}x`)).status);
      assert.deepEqual(guesses, [401, 401, 401, 429, 429, 429]);
      const answers = [];
      for (let i = 0; i < 7; i++) answers.push((await ask(one)).status);
      assert.deepEqual(
        answers,
        [200, 200, 200, 200, 200, 429, 429],
        'who guesses takes nothing from who holds a token',
      );
      assert.equal((await ask(two)).status, 200, 'tokens do not share');
      for (let i = 0; i < 40; i++) await bench.ask('/healthz');
      const refused = await ask(two);
      assert.deepEqual([refused.status, refused.body.error.code], [429, 'API_RATE']);
      assert.ok(Number(refused.headers.get('retry-after')) > 0);
      assert.deepEqual((await bench.rig.probe('api_server'))['answered'], 200);
    } finally {
      await bench.close();
    }
  });
});

test('who sends headers or a body drop by drop is cut off with a code', async () => {
  const bench = await openBench({ times: { headersMs: 500, requestMs: 800 } });
  const token = await bench.token('operator');
  const slow: [string, string][] = [
    ['headers', 'GET /healthz HTTP/1.1\r\nhost: x\r\n'],
    [
      'a body',
      `POST ${CALL} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token}\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"a"`,
    ],
  ];
  for (const [about, bytes] of slow) {
    const socket = await hold(bench.port, bytes);
    let text = '';
    socket.on('data', (part: Buffer) => {
      text += part;
    });
    const dripping = setInterval(() => socket.write('x'), 100);
    const ended = new Promise((resolve) => socket.once('close', resolve));
    try {
      await poll(`${about}: it is answered`, () => text.includes('API_MALFORMED'), { deadlineMs: 30_000 });
      assert.match(text, /^HTTP\/1\.1 408 /);
    } finally {
      clearInterval(dripping);
      socket.destroy();
      await ended;
    }
  }
  await bench.close();
});
