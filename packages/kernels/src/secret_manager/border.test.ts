import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { inspect } from 'node:util';
import { VALUE, vaultFile, withVault } from './fixtures/bench.ts';

describe('bad input', () => {
  const long = 'x'.repeat(70_000);
  const cases: [string, unknown, string][] = [
    ['set', undefined, 'BAD_INPUT'],
    ['set', { name: 'a' }, 'BAD_INPUT'],
    ['set', { name: 'a', value: 'short' }, 'BAD_INPUT'],
    ['set', { name: 'a', value: long }, 'TOO_LARGE'],
    ['set', { name: 'a', value: 12345678 }, 'BAD_INPUT'],
    ['set', { name: 'a', value: { nested: VALUE } }, 'BAD_INPUT'],
    ['set', { name: 'a', value: `${VALUE}\ud800` }, 'BAD_INPUT'],
    ['set', { name: VALUE.toUpperCase(), value: VALUE }, 'BAD_INPUT'],
    ['set', { name: '../../etc/passwd', value: VALUE }, 'BAD_INPUT'],
    ['set', { name: '__proto__', value: VALUE }, 'BAD_INPUT'],
    ['set', { name: 'a.'.repeat(200), value: VALUE }, 'BAD_INPUT'],
    ['set', { name: 'probe.self', value: VALUE }, 'BAD_INPUT'],
    ['set', { name: 'a', vaule: VALUE }, 'BAD_INPUT'],
    ['set', { name: 'a', value: VALUE, graceMs: -1 }, 'BAD_INPUT'],
    ['get', { name: 'unknown.one' }, 'NOT_FOUND'],
    ['get', { name: 'a', version: 1.5 }, 'BAD_INPUT'],
    ['get', { name: 'a', leaseMs: 1e12 }, 'BAD_INPUT'],
    ['get', [VALUE], 'BAD_INPUT'],
    ['get', VALUE, 'BAD_INPUT'],
    ['rotate', { name: 'unknown.one' }, 'NOT_FOUND'],
    ['rotate', { name: 'a', value: VALUE, bytes: 32 }, 'BAD_INPUT'],
    ['rotate', { name: 'a', bytes: 1e9 }, 'BAD_INPUT'],
    ['revoke', {}, 'BAD_INPUT'],
    ['revoke', { lease: VALUE }, 'BAD_INPUT'],
    ['revoke', { lease: `lease-${'0'.repeat(36)}` }, 'NOT_FOUND'],
    ['revoke', { name: 'a', lease: `lease-${'0'.repeat(36)}` }, 'BAD_INPUT'],
    ['renew', { lease: `lease-${'0'.repeat(36)}` }, 'NOT_FOUND'],
    ['list', { pattern: '>.a' }, 'BAD_INPUT'],
    ['leases', { limit: 0 }, 'BAD_INPUT'],
    ['grants', { add: { principal: 'x', pattern: 'a.>', can: ['read'] } }, 'BAD_INPUT'],
    ['grants', { add: { principal: 'x', pattern: 'a.>', can: [] } }, 'BAD_INPUT'],
    ['grants', { add: { principal: 'No Name', pattern: '>', can: ['get'] } }, 'BAD_INPUT'],
    ['grants', { remove: { principal: 'x', pattern: 'a' } }, 'NOT_FOUND'],
    ['rekey', { passphrase: 'short' }, 'KEY_UNUSABLE'],
    ['rekey', { passphrase: [VALUE] }, 'BAD_INPUT'],
    ['status', { all: true }, 'BAD_INPUT'],
  ];

  test('is refused with a code, changes nothing, and no value is repeated', () =>
    withVault(async ({ rig, call }) => {
      const before = readFileSync(vaultFile(rig));
      for (const [verb, input, code] of cases) {
        const what = `${verb} ${inspect(input).slice(0, 80)}`;
        const error = await call(verb, input).then(
          () => assert.fail(what),
          (one: Error & { code?: string }) => one,
        );
        assert.equal(error.code, code, `${what}: ${error.message}`);
        assert.equal(inspect(error, { depth: 9 }).toLowerCase().includes(VALUE), false, `${what}: ${error.message}`);
      }
      const circle: Record<string, unknown> = { name: 'a' };
      circle['value'] = circle;
      await assert.rejects(call('set', circle), { code: 'BAD_INPUT' });
      assert.deepEqual(readFileSync(vaultFile(rig)), before);
      assert.equal(inspect(rig.logs, { depth: 9 }).includes(VALUE), false);
    }));

  const configs: [Record<string, unknown>, RegExp][] = [
    [{ key: {} }, /config\.key: expected exactly one/],
    [{ key: { file: 'relative' } }, /absolute/],
    [{ key: { enviroment: 'X' } }, /did you mean "environment"/],
    [{ key: { environment: 'no name' } }, /environment variable/],
    [{ owners: 'cli' }, /config\.owners/],
    [{ offlineAllow: ['>.x'] }, /config\.offlineAllow\[0\]/],
    [{ leaseMS: 5 }, /did you mean "leaseMs"/],
  ];
  for (const [config, message] of configs) {
    test(`in the configuration ${JSON.stringify(config)} is named`, async () => {
      await assert.rejects(
        withVault(async () => {}, { config }),
        { code: 'CONFIG_INVALID', message },
      );
    });
  }
});
