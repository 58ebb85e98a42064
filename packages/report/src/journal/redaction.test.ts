import assert from 'node:assert/strict';
import { test } from 'node:test';
import { redact, redactText } from './redaction.ts';

const CANARY = 'Canary7f3aQ9xZ2mLp0vTn';

test('secrets are taken out by the name of their field', () => {
  for (const field of [
    'password',
    'apiKey',
    'api_key',
    'access_token',
    'Authorization',
    'clientSecret',
    'privateKey',
  ]) {
    assert.deepEqual(redact({ [field]: CANARY }), { [field]: '[redacted]' }, field);
  }
});

test('secrets are taken out by their shape', () => {
  for (const text of [
    `Bearer ${CANARY}`,
    `token=${CANARY}`,
    `"secret": "${CANARY}"`,
    `postgres://user:${CANARY}@host/db`,
    `sk-live-${CANARY}`,
    `ghp_${CANARY}`,
    `eyJwcmluY2lwYWwiOiJ4In0.${CANARY}${CANARY}`,
    `-----BEGIN PRIVATE KEY-----\n${CANARY}\n-----END PRIVATE KEY-----`,
  ]) {
    assert.ok(!redactText(text).includes(CANARY), text);
  }
});

test('what only speaks of secrets stays', () => {
  for (const text of [
    'secret_manager restarted (#12)',
    'the bus token is not valid',
    'tokens: 3',
    'commit 0123456789abcdef0123456789abcdef01234567',
  ]) {
    assert.equal(redactText(text), text);
  }
  assert.deepEqual(redact({ tokenCount: 3, kernel: 'secret_manager' }), { tokenCount: 3, kernel: 'secret_manager' });
});

test('a circle or an abyss does not hang it', () => {
  const deep: Record<string, unknown> = {};
  deep['self'] = deep;
  assert.ok(JSON.stringify(redact(deep)).includes('[cut]'));
});
