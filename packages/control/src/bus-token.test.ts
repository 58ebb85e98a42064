import assert from 'node:assert/strict';
import { test } from 'node:test';
import { signBusToken, verifyBusToken } from './bus-token.ts';

const KEY = Buffer.alloc(32, 1);
const IDENTITY = { principal: 'librarian', incarnation: 3, messagesPerSecond: 100, kernel: true };

test('a token gives back the identity it was signed for', () => {
  assert.deepEqual(verifyBusToken(signBusToken(IDENTITY, KEY), KEY), IDENTITY);
});

test('a token of another key, for another identity, or in another form is refused', () => {
  const token = signBusToken(IDENTITY, KEY);
  const [body, signature] = token.split('.') as [string, string];
  const other = Buffer.from(JSON.stringify({ ...IDENTITY, principal: 'supervisor' })).toString('base64url');
  const bad = [
    signBusToken(IDENTITY, Buffer.alloc(32, 2)),
    `${other}.${signature}`,
    `${body}.${signature.slice(2)}`,
    `${body}.`,
    `.${signature}`,
    `${token}.x`,
    '',
    undefined,
    7,
    signBusToken({ principal: 'x' } as typeof IDENTITY, KEY),
  ];
  for (const one of bad) assert.throws(() => verifyBusToken(one, KEY), { code: 'BUS_UNAUTHENTICATED' });
});
