import assert from 'node:assert/strict';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { current, openBed, set, VALUE } from '../fixtures/bed.ts';
import { type FileSteps, fileSteps } from './files.ts';
import { passphrase } from './key-source.ts';
import { makeSlot, openSlot, wrap } from './slots.ts';

describe('a vault', () => {
  test('is made with a key file that its owner alone may read, and opens again with what it held', async (t) => {
    const bed = openBed(t);
    const vault = await bed.open();
    assert.equal(await set(vault, 'a', VALUE), 1);
    assert.equal(await set(vault, 'a', `${VALUE} 2`), 2);
    assert.deepEqual(
      readdirSync(bed.dir).map((name) => [name, statSync(join(bed.dir, name)).mode & 0o777]),
      [
        ['vault', 0o600],
        ['vault.key', 0o600],
      ],
    );
    const again = await bed.open();
    assert.equal(current(again.contents, 'a'), `${VALUE} 2`);
    assert.equal(again.standing.generation, vault.standing.generation);
    assert.equal(current(await again.check(), 'a'), `${VALUE} 2`);
  });

  test('says nothing of what it holds: no value and no name stands in its file', async (t) => {
    const bed = openBed(t);
    await set(await bed.open(), 'models.openai.key', VALUE);
    const text = readFileSync(bed.file, 'latin1');
    for (const part of [VALUE, 'openai', Buffer.from(VALUE).toString('base64')])
      assert.equal(text.includes(part), false);
  });

  test('keeps changes in the order in which they were asked for', async (t) => {
    const vault = await openBed(t).open();
    const versions = await Promise.all(Array.from({ length: 20 }, (_, i) => set(vault, 'a', `${VALUE} ${i}`)));
    assert.deepEqual(
      versions,
      Array.from({ length: 20 }, (_, i) => i + 1),
    );
    assert.equal(current(vault.contents, 'a'), `${VALUE} 19`);
  });

  test('does not open with another key, a missing one, one that others may read, or one that is none', async (t) => {
    const bed = openBed(t);
    await set(await bed.open(), 'a', VALUE);
    const key = readFileSync(bed.key, 'utf8');
    writeFileSync(bed.key, `${'0'.repeat(64)}\n`);
    await assert.rejects(bed.open(), { code: 'VAULT_KEY_WRONG' });
    writeFileSync(bed.key, key);
    chmodSync(bed.key, 0o640);
    await assert.rejects(bed.open(), { code: 'KEY_UNUSABLE', message: /mode 640.*chmod 600/ });
    chmodSync(bed.key, 0o600);
    writeFileSync(bed.key, 'not a key');
    await assert.rejects(bed.open(), { code: 'KEY_UNUSABLE' });
    rmSync(bed.key);
    await assert.rejects(bed.open(), { code: 'VAULT_KEY_WRONG', message: /no file/ });
    assert.equal(existsSync(bed.key), false, 'a vault that is there never gets a new key');
    await assert.rejects(bed.open({ source: { kind: 'key_file', path: join(bed.dir, 'mine'), made: false } }), {
      code: 'VAULT_KEY_WRONG',
    });
  });

  test('opens with its passphrase, from a file or the environment, and with no other', async (t) => {
    const bed = openBed(t);
    const path = join(bed.dir, 'words');
    writeFileSync(path, 'four words of mine\n', { mode: 0o600 });
    const known: string[] = [];
    const source = { kind: 'passphrase_file', path } as const;
    await set(await bed.open({ source, know: (value) => void known.push(value) }), 'a', VALUE);
    assert.deepEqual(known, ['four words of mine']);
    process.env['GRACE_TEST_VAULT'] = 'four words of mine';
    t.after(() => delete process.env['GRACE_TEST_VAULT']);
    const fromEnvironment = { kind: 'environment', name: 'GRACE_TEST_VAULT' } as const;
    const vault = await bed.open({ source: fromEnvironment });
    assert.equal(current(vault.contents, 'a'), VALUE);
    assert.deepEqual(vault.standing.openedBy, ['argon2id']);
    process.env['GRACE_TEST_VAULT'] = 'four words of others';
    await assert.rejects(bed.open({ source: fromEnvironment }), { code: 'VAULT_KEY_WRONG' });
    process.env['GRACE_TEST_VAULT'] = 'short';
    await assert.rejects(bed.open({ source: fromEnvironment }), { code: 'KEY_UNUSABLE' });
    delete process.env['GRACE_TEST_VAULT'];
    await assert.rejects(bed.open({ source: fromEnvironment }), { code: 'VAULT_KEY_WRONG' });
  });

  test('closed with scrypt, where there is no argon2, opens too', async () => {
    const master = passphrase('four words of mine', 'test');
    const slot = await makeSlot(master, 'scrypt');
    const vaultKey = Buffer.alloc(32, 7);
    const wrapped = wrap(slot, vaultKey, 'id');
    assert.deepEqual((await openSlot(wrapped, master, 'id'))?.vaultKey, vaultKey);
    assert.equal(await openSlot(wrapped, master, 'another'), null);
  });

  test('is synced before it takes the name of the old one, and the folder after', async (t) => {
    const bed = openBed(t);
    const steps: string[] = [];
    const told = <K extends 'write' | 'sync' | 'rename' | 'syncFolder'>(name: K): FileSteps[K] =>
      ((path: string, more: never) => {
        steps.push(`${name} ${basename(path)}`);
        return fileSteps[name](path, more);
      }) as FileSteps[K];
    const files = {
      ...fileSteps,
      write: told('write'),
      sync: told('sync'),
      rename: told('rename'),
      syncFolder: told('syncFolder'),
    };
    const vault = await bed.open({ files });
    steps.length = 0;
    await set(vault, 'a', VALUE);
    assert.deepEqual(steps, [
      'write vault.new',
      'sync vault.new',
      'rename vault.new',
      `syncFolder ${basename(bed.dir)}`,
    ]);
  });
});

describe('a vault that was tampered with is refused', () => {
  test('cut off anywhere', async (t) => {
    const bed = openBed(t);
    await set(await bed.open(), 'a', VALUE);
    const whole = readFileSync(bed.file);
    for (const length of [0, 1, 8, 19, 20, 60, whole.length >> 1, whole.length - 16, whole.length - 1]) {
      writeFileSync(bed.file, whole.subarray(0, length));
      await assert.rejects(bed.open(), { code: 'VAULT_DAMAGED' }, `${length} bytes`);
    }
    writeFileSync(bed.file, Buffer.concat([whole, Buffer.of(0)]));
    await assert.rejects(bed.open(), { code: 'VAULT_DAMAGED' });
  });

  test('with any bit changed', async (t) => {
    const bed = openBed(t);
    await set(await bed.open(), 'a', VALUE);
    const whole = readFileSync(bed.file);
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 1), fc.nat(7), async (at, bit) => {
        const bytes = Buffer.from(whole);
        bytes[at]! ^= 1 << bit;
        writeFileSync(bed.file, bytes);
        await assert.rejects(bed.open(), (error: { code?: string }) =>
          /^VAULT_(DAMAGED|VERSION|KEY_WRONG)$/.test(error.code ?? ''),
        );
      }),
      { numRuns: 200 },
    );
  });

  test('of a format to come', async (t) => {
    const bed = openBed(t);
    await bed.open();
    const bytes = readFileSync(bed.file);
    bytes.writeUInt32BE(2, 8);
    writeFileSync(bed.file, bytes);
    await assert.rejects(bed.open(), { code: 'VAULT_VERSION', message: /format 2/ });
  });

  test('with a header that asks for gigabytes, before anything is derived', async (t) => {
    const bed = openBed(t);
    await bed.open();
    const bytes = readFileSync(bed.file);
    const head = JSON.parse(bytes.subarray(20, 20 + bytes.readUInt32BE(12)).toString());
    head.slots[0].derivation = { name: 'argon2id', salt: 'AAAA', memoryKiB: 2 ** 31, passes: 3, parallelism: 4 };
    const text = Buffer.from(JSON.stringify(head));
    const front = Buffer.from(bytes.subarray(0, 20));
    front.writeUInt32BE(text.length, 12);
    writeFileSync(bed.file, Buffer.concat([front, text, bytes.subarray(20 + bytes.readUInt32BE(12))]));
    await assert.rejects(bed.open(), { code: 'VAULT_DAMAGED', message: /derivation/ });
  });

  test('when it is an earlier one, or gone; unless its number is accepted, and then no number comes twice', async (t) => {
    const bed = openBed(t);
    const vault = await bed.open();
    await set(vault, 'a', VALUE);
    const before = join(bed.dir, 'before');
    copyFileSync(bed.file, before);
    const { generation } = vault.standing;
    await set(vault, 'a', `${VALUE} 2`);
    copyFileSync(before, bed.file);
    await assert.rejects(bed.open(), { code: 'VAULT_ROLLED_BACK', message: new RegExp(`number ${generation};`) });
    rmSync(bed.file);
    await assert.rejects(bed.open(), { code: 'VAULT_ROLLED_BACK', message: /there is none/ });
    copyFileSync(before, bed.file);
    const accepted = await bed.open({ acceptGeneration: generation });
    assert.equal(current(accepted.contents, 'a'), VALUE);
    await set(accepted, 'a', `${VALUE} 3`);
    assert.ok(accepted.standing.generation > vault.standing.generation);
    assert.equal(current((await bed.open()).contents, 'a'), `${VALUE} 3`);
  });

  test('while it is open: the next change and the next look find it', async (t) => {
    const bed = openBed(t);
    const vault = await bed.open();
    const older = readFileSync(bed.file);
    await set(vault, 'a', VALUE);
    const newest = readFileSync(bed.file);
    const others: [Buffer | null, string][] = [
      [older, 'VAULT_ROLLED_BACK'],
      [newest.subarray(0, 100), 'VAULT_DAMAGED'],
      [Buffer.from(newest).fill(0, newest.length - 1), 'VAULT_DAMAGED'],
      [null, 'VAULT_ROLLED_BACK'],
    ];
    for (const [bytes, code] of others) {
      if (bytes) writeFileSync(bed.file, bytes);
      else rmSync(bed.file);
      await assert.rejects(vault.check(), { code });
      await assert.rejects(set(vault, 'b', VALUE), { code });
      assert.deepEqual(bytes && readFileSync(bed.file), bytes, 'what is there is evidence and stays');
    }
    writeFileSync(bed.file, newest);
    assert.equal(await set(vault, 'b', VALUE), 1);
  });
});

describe('a step that fails', () => {
  for (const failing of ['write', 'sync', 'rename'] as const) {
    test(`${failing}: the change is refused with a code, nothing of it is there, and the next one works`, async (t) => {
      const bed = openBed(t);
      let isFull = false;
      const fail = async (): Promise<never> => {
        throw Object.assign(new Error('no space'), { code: 'ENOSPC' });
      };
      const files: FileSteps = {
        ...fileSteps,
        [failing]: (path: string, more: never) => (isFull ? fail() : fileSteps[failing](path, more)),
      };
      const vault = await bed.open({ files });
      await set(vault, 'a', VALUE);
      isFull = true;
      await assert.rejects(set(vault, 'a', 'something else'), { code: 'STORAGE_FULL' });
      assert.equal(current(vault.contents, 'a'), VALUE);
      assert.equal(existsSync(`${bed.file}.new`), false);
      isFull = false;
      assert.equal(await set(vault, 'a', 'something else'), 2);
      assert.equal(current((await bed.open()).contents, 'a'), 'something else');
    });
  }
});

describe('rekey', () => {
  test('makes a new key file; the old key opens nothing any more', async (t) => {
    const bed = openBed(t);
    const vault = await bed.open();
    await set(vault, 'a', VALUE);
    const old = readFileSync(bed.key, 'utf8');
    assert.deepEqual((await vault.rekey(null)).openedBy, ['hkdf-sha256']);
    assert.notEqual(readFileSync(bed.key, 'utf8'), old);
    assert.equal(await set(vault, 'b', VALUE), 1);
    assert.equal(current((await bed.open()).contents, 'a'), VALUE);
    writeFileSync(bed.key, old);
    await assert.rejects(bed.open(), { code: 'VAULT_KEY_WRONG' });
  });

  test('to a passphrase: the old key opens it until the passphrase has', async (t) => {
    const bed = openBed(t);
    const vault = await bed.open();
    await set(vault, 'a', VALUE);
    assert.deepEqual((await vault.rekey(passphrase('four words of mine', 'test'))).openedBy, [
      'hkdf-sha256',
      'argon2id',
    ]);
    await set(vault, 'b', VALUE);
    const again = await bed.open();
    assert.equal(current(again.contents, 'b'), VALUE);
    await set(again, 'c', VALUE);
    const words = join(bed.dir, 'words');
    writeFileSync(words, 'four words of mine\n', { mode: 0o600 });
    const opened = await bed.open({ source: { kind: 'passphrase_file', path: words } });
    assert.equal(current(opened.contents, 'c'), VALUE);
    assert.deepEqual(opened.standing.openedBy, ['argon2id']);
    await assert.rejects(bed.open(), { code: 'VAULT_KEY_WRONG' });
  });
});
