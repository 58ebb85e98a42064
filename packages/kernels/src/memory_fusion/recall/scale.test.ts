import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

test('in a large namespace what is found is what a search that leaves nothing out would find', async () => {
  const fixture = fileURLToPath(new URL('../fixtures/scale.ts', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [fixture, '4000'], { timeout: 120_000 });
  const { items, agreement } = JSON.parse(stdout) as { items: number; agreement: number };
  assert.equal(items, 4000);
  // Bytes for numbers, and memories that hold none of the rare words: one place in twenty at most.
  assert.ok(agreement >= 0.95, stdout);
});
