import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createStore } from '@grace/kernel-sdk';
import { type Bed, current, openBed, set, VALUE } from '../fixtures/bed.ts';
import type { Anchor, Vault, VaultOptions } from './vault.ts';

describe('a process that is killed before any one step', () => {
  const FIXTURE = fileURLToPath(new URL('../fixtures/ends-at-step.ts', import.meta.url));

  /** Ends a process before each step it takes on its way; `check` looks at what each left. Returns how many steps there are. */
  async function atEachStep(
    t: TestContext,
    what: string,
    check: (bed: Bed, said: string, at: number) => Promise<void>,
  ) {
    const origin = openBed(t);
    if (what !== 'make') {
      const store = createStore(origin.dir);
      const anchor: Anchor = { read: () => null, write: (mark) => store.set('anchor', mark) };
      await set(await origin.open({ anchor }), 'a', VALUE);
      store.close();
    }
    const files = readdirSync(origin.dir);
    const run = async (at: number): Promise<string> => {
      const bed = openBed(t);
      for (const name of files) copyFileSync(join(origin.dir, name), join(bed.dir, name));
      const child = spawn(process.execPath, [FIXTURE, bed.dir, what, String(at)], {
        stdio: ['ignore', 'pipe', 'inherit'],
        env: { ...process.env, NODE_COMPILE_CACHE: join(origin.dir, 'compiled') },
      });
      let said = '';
      child.stdout.on('data', (chunk) => {
        said += chunk;
      });
      const ended = await once(child, 'close');
      assert.deepEqual(ended, at === Number.MAX_SAFE_INTEGER ? [0, null] : [null, 'SIGKILL']);
      await check(bed, said, at);
      return said;
    };
    const steps = Number(/steps: (\d+)/.exec(await run(Number.MAX_SAFE_INTEGER))![1]);
    for (let at = 1; at <= steps; at += 2) await Promise.all([run(at), at < steps ? run(at + 1) : null]);
    return steps;
  }
  const reopen = async (bed: Bed, changes: Partial<VaultOptions> = {}): Promise<Vault> => {
    const store = createStore(bed.dir);
    try {
      const anchor: Anchor = { read: () => store.get('anchor') ?? null, write: (mark) => store.set('anchor', mark) };
      const vault = await bed.open({ anchor, ...changes });
      await set(vault, 'afterwards', VALUE);
      return vault;
    } finally {
      store.close();
    }
  };

  test('of making a vault leaves one that is made, or none', async (t) => {
    const steps = await atEachStep(t, 'make', async (bed) => void (await reopen(bed)));
    assert.ok(steps > 6);
  });

  test('of a change leaves the old value or the new one, and what was acknowledged', async (t) => {
    await atEachStep(t, 'change', async (bed, said, at) => {
      const found = current((await reopen(bed)).contents, 'a');
      if (said !== '') assert.match(said, new RegExp(`^${found}\n`));
      else assert.ok(found === VALUE || found === `the value of step ${at}`);
    });
  });

  test('of a rekey leaves a vault that the key file opens, with all it held', async (t) => {
    const steps = await atEachStep(t, 'key', async (bed) => {
      const vault = await reopen(bed);
      assert.equal(current(vault.contents, 'a'), VALUE);
      assert.deepEqual(vault.standing.openedBy, ['hkdf-sha256'], 'what was begun is finished or taken back');
    });
    assert.ok(steps > 10);
  });

  test('of a rekey to a passphrase leaves a vault that the old key opens, or both', async (t) => {
    await atEachStep(t, 'passphrase', async (bed, said) => {
      const { contents, standing } = await reopen(bed);
      assert.equal(current(contents, 'a'), VALUE);
      if (said !== '') assert.equal(standing.openedBy.length, 2);
      if (standing.openedBy.length === 1) return;
      const words = join(bed.dir, 'words');
      writeFileSync(words, 'another passphrase', { mode: 0o600 });
      const source = { kind: 'passphrase_file', path: words } as const;
      assert.equal(current((await reopen(bed, { source })).contents, 'a'), VALUE);
    });
  });
});
