import assert from 'node:assert/strict';
import { copyFileSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { VALUE, vaultFile, withVault } from './fixtures/bench.ts';

describe('the probe', () => {
  test('stores, reads and is refused, and the vault does not grow', () =>
    withVault(async ({ rig, call }) => {
      assert.equal((await rig.probe('secret_manager'))['refused'], 'FORBIDDEN');
      const bytes = statSync(vaultFile(rig)).size;
      for (let i = 0; i < 20; i++) await rig.probe('secret_manager');
      for (let i = 0; i < 3; i++) {
        await rig.restart('secret_manager');
        assert.equal((await rig.probe('secret_manager'))['stored'], true);
      }
      assert.ok(Math.abs(statSync(vaultFile(rig)).size - bytes) < 16, 'the number of the file may get a digit');
      assert.deepEqual(await call('list'), []);
      await assert.rejects(call('get', { name: 'probe.self' }), { code: 'BAD_INPUT' });
    }));

  const damages: [string, RegExp, (file: string, older: string) => void][] = [
    ['gone', /VAULT_ROLLED_BACK/, (file) => rmSync(file)],
    ['replaced by an earlier one', /VAULT_ROLLED_BACK/, (file, older) => copyFileSync(older, file)],
    ['cut off', /VAULT_DAMAGED/, (file) => writeFileSync(file, readFileSync(file).subarray(0, 50))],
    ['overwritten', /VAULT_DAMAGED/, (file) => writeFileSync(file, 'nothing')],
  ];
  for (const [what, code, damage] of damages) {
    test(`fails when the vault is ${what}, and so does the next start`, () =>
      withVault(async ({ rig, call }) => {
        await rig.probe('secret_manager');
        const file = vaultFile(rig);
        copyFileSync(file, `${file}.older`);
        await call('set', { name: 'a', value: VALUE });
        const whole = readFileSync(file);
        damage(file, `${file}.older`);
        await assert.rejects(rig.probe('secret_manager'), (error: { code: string }) => code.test(error.code));
        await assert.rejects(rig.restart('secret_manager'), (error: { code: string }) => code.test(error.code));
        writeFileSync(file, whole);
      }));
  }
});
