import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { GraceError } from '../errors.ts';
import { createRedactor } from './redactor.ts';

const SECRET = 'c4n4ry"of/the+mine\\7f3a';
const knowing = (...values: string[]) => {
  const redactor = createRedactor();
  for (const value of values) assert.equal(redactor.know(value), true);
  return redactor;
};
/** At least 8 characters that no text around them holds. */
const secret = fc.string({ minLength: 8, maxLength: 80, unit: 'grapheme' }).map((text) => `§${text}`);
const around = fc.string({ maxLength: 40 }).map((text) => text.replaceAll('§', ''));

describe('a known value', () => {
  test('is left out of every text, whatever stands around it', () => {
    fc.assert(
      fc.property(secret, around, around, (value, before, after) => {
        const said = knowing(value).text(`${before}${value}${after}`);
        assert.equal(said.includes(value), false);
        assert.ok(said.includes('[redacted]'));
      }),
    );
  });

  test('is left out of every common spelling', () => {
    const redactor = knowing(SECRET);
    const spellings = [
      JSON.stringify({ note: `it is ${SECRET}` }),
      encodeURIComponent(SECRET),
      Buffer.from(SECRET).toString('hex'),
      Buffer.from(SECRET).toString('base64'),
      Buffer.from(SECRET).toString('base64url'),
      ...['u:', 'me:', 'you:'].map((user) => Buffer.from(`${user}${SECRET}`).toString('base64')),
      inspect(Buffer.from(SECRET)),
      inspect({ note: SECRET }),
    ];
    for (const spelling of spellings) assert.match(redactor.text(`<${spelling}>`), /\[redacted\]/, spelling);
  });

  test('is left out where only its beginning was quoted', () => {
    const long = `sk-${'0123456789abcdef'.repeat(8)}`;
    const said = knowing(long).text(`got "${long.slice(0, 60)}"`);
    assert.equal(said, 'got "[redacted]"');
  });

  test('of several lines is left out when its lines come one by one', () => {
    const key = '-----BEGIN KEY-----\nMIIEvQIBADANBgkqhkiG\nAAECAwQFBgcICQoLDA0O\n-----END KEY-----';
    const redactor = knowing(key);
    for (const line of key.split('\n').slice(1, 3)) assert.equal(redactor.text(`> ${line}`), '> [redacted]');
  });

  test('is left out of data of every kind: nested, circular, in maps, sets, bytes, errors, and as a key', () => {
    const circle: Record<string, unknown> = { deep: [{ deeper: `x ${SECRET} y` }] };
    circle['self'] = circle;
    class Own {
      field = SECRET;
    }
    const data = {
      circle,
      map: new Map([[SECRET, SECRET]]),
      set: new Set([SECRET]),
      bytes: Buffer.from(`x${SECRET}`),
      error: new Error('outer', { cause: new Error(SECRET) }),
      own: new Own(),
      [SECRET]: 1,
    };
    const clean = knowing(SECRET).value(data);
    assert.equal(inspect(clean, { depth: 20, showHidden: true }).includes('c4n4ry'), false);
    assert.equal((clean.circle as { self: unknown }).self, clean.circle);
    assert.equal(data.circle['deep'] === clean.circle['deep'], false, 'the original is not touched');
  });

  test('is left out of an error in place, with its stack, causes and details', () => {
    const error = new GraceError('BAD_INPUT', `no ${SECRET}`, { given: [SECRET] }, { cause: new Error(SECRET) });
    const clean = knowing(SECRET).error(error);
    assert.equal(clean, error);
    assert.equal(error.code, 'BAD_INPUT');
    assert.equal(inspect(error, { depth: 10, showHidden: true }).includes('c4n4ry'), false);
  });

  test('is left out of what is thrown and is no Error, and of an error that is frozen', () => {
    const redactor = knowing(SECRET);
    assert.equal(redactor.error(`no ${SECRET}`), 'no [redacted]');
    const frozen = Object.freeze(new Error(`no ${SECRET}`));
    assert.equal((redactor.error(frozen) as Error).message, 'no [redacted]');
  });

  test('that is too short to be told from ordinary text is refused', () => {
    assert.equal(createRedactor().know('1234567'), false);
  });

  test('is the oldest one to be forgotten, beyond ten thousand', () => {
    const redactor = createRedactor();
    for (let i = 0; i <= 10_000; i++) redactor.know(`value number ${i} of many`);
    assert.equal(redactor.known, 10_000);
    assert.equal(redactor.text('value number 10000 of many'), '[redacted]');
  });
});

describe('text in pieces', () => {
  test('holds no known value, however it is cut, and nothing else is lost', () => {
    fc.assert(
      fc.property(secret, around, around, fc.array(fc.nat(200), { maxLength: 8 }), (value, before, after, cuts) => {
        const whole = `${before}${value}${after}\n`;
        const at = [0, ...cuts.map((cut) => cut % (whole.length + 1)).sort((a, b) => a - b), whole.length];
        const stream = knowing(value).stream();
        const said = at.slice(1).map((end, i) => stream.push(whole.slice(at[i], end)));
        const all = said.join('') + stream.end();
        assert.equal(all.includes(value), false);
        assert.equal(all, knowing(value).text(whole));
      }),
    );
  });

  test('holds none of a value whose end is the beginning of another spelling', () => {
    // A percent sign begins the form in a URL.
    const value = '§ at fifty %';
    const stream = knowing(value).stream();
    assert.equal(stream.push(value) + stream.push('\n') + stream.end(), '[redacted]\n');
  });
});

describe('what stands behind a telling name', () => {
  const left: [unknown, unknown][] = [
    [{ password: 'hunter2' }, { password: '[redacted]' }],
    [
      { apiKey: 'k', 'X-Api-Key': 'k', client_secret: ['a'] },
      { apiKey: '[redacted]', 'X-Api-Key': '[redacted]', client_secret: '[redacted]' },
    ],
    [
      { tokens: 512, token: 3, secretary: 'Ada' },
      { tokens: 512, token: 3, secretary: 'Ada' },
    ],
    ['Authorization: Bearer abc', 'Authorization: [redacted]'],
    ['{"password":"a\\"b","n":1}', '{"password":"[redacted]","n":1}'],
    ["{ passphrase: 'a b', n: 1 }", "{ passphrase: '[redacted]', n: 1 }"],
    ['GET /?token=abc&n=1', 'GET /?token=[redacted]&n=1'],
    ['postgres://ada:lovelace@db/x', 'postgres://ada:[redacted]@db/x'],
    ['with bearer 0123456789abcdef0', 'with bearer [redacted]'],
    ['the token: expired', 'the token: expired'],
    ['secret_manager is ready', 'secret_manager is ready'],
  ];
  for (const [given, expected] of left)
    test(JSON.stringify(given), () => assert.deepEqual(createRedactor().value(given), expected));

  test('is said where names are none of its business', () => {
    assert.deepEqual(createRedactor().value({ token: 'of speech' }, false), { token: 'of speech' });
  });

  test('is found in an end also where names stand by the thousand', () => {
    for (const hostile of ['password="', '://a:', "token='", 'x cookie:', 'bearer '])
      assert.equal(typeof createRedactor().text(hostile.repeat(30_000)), 'string');
  });
});
