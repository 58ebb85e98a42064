import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readdirSync, rmSync, statSync, utimesSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { HOME } from '@grace/contracts';
import { createEvidenceFolder } from './folder.ts';

function home(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), 'grace-evidence-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

describe('the evidence folder', () => {
  test('keeps each file under its incident, for the owner alone', async (t) => {
    const dir = home(t);
    const folder = createEvidenceFolder(dir);
    const kept = await folder.write('inc-1', 'stack', 'spinHere x.ts:1\n');
    assert.match(kept.file, /^evidence\/inc-1\/\d{4}-\d\d-\d\dT[\d-]+Z-stack\.txt$/);
    assert.equal(statSync(join(dir, kept.file)).mode & 0o777, 0o600);
    assert.equal(statSync(join(dir, HOME.evidence)).mode & 0o777, 0o700);
    assert.equal(statSync(join(dir, kept.file)).size, kept.bytes);
  });

  test('never gives one place twice, and none outside of itself', async (t) => {
    const dir = home(t);
    const folder = createEvidenceFolder(dir);
    const places = new Set<string>();
    for (let i = 0; i < 50; i++) places.add(await folder.place('k', 'stack'));
    assert.equal(places.size, 50);
    for (const owner of ['../../etc', '..', '/etc', 'a/b'])
      assert.match(await folder.place(owner, 'stack'), /^evidence\/[^/]+\/[^/]+$/);
    assert.deepEqual(readdirSync(dir), [HOME.evidence]);
  });

  test('cuts a text that is too long', async (t) => {
    const folder = createEvidenceFolder(home(t));
    assert.equal((await folder.write('k', 'error', 'x'.repeat(3e6))).bytes, 1e6);
  });

  for (const [bounds, left] of [
    [{ files: 3, bytes: 1e9 }, 3],
    [{ files: 100, bytes: 250 }, 2],
  ] as const) {
    test(`lets the oldest go first: at most ${bounds.files} files, ${bounds.bytes} bytes`, async (t) => {
      const dir = home(t);
      const folder = createEvidenceFolder(dir, bounds);
      const files: string[] = [];
      for (let i = 0; i < 6; i++) {
        const { file } = await folder.write(`inc-${i}`, 'stack', 'x'.repeat(100));
        utimesSync(join(dir, file), 1000 + i, 1000 + i);
        files.push(file);
      }
      await Promise.all([folder.prune(), folder.prune()]);
      assert.deepEqual(
        files.filter((file) => existsSync(join(dir, file))),
        files.slice(-left),
      );
      assert.equal(readdirSync(join(dir, HOME.evidence)).length, left);
    });
  }
});
