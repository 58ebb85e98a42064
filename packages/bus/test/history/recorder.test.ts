import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { readHistory } from './read-history.ts';
import { openRecord } from './recorder.ts';

test('what was recorded is there after kill -9, in its order', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'grace-record-'));
  t.after(() => rmSync(folder, { recursive: true }));
  for (let life = 1; life <= 5; life++) {
    const child = fork(new URL('./fixtures/records.ts', import.meta.url), [folder, String(life)]);
    let told = 0;
    child.on('message', (n: number) => {
      told = n;
      if (n >= 1000 * life) child.kill('SIGKILL');
    });
    await once(child, 'exit');
    const numbers = readHistory(folder).flatMap((entry) =>
      entry.life === life && entry.e === 'quiet' ? entry.published : [],
    );
    assert.ok(numbers.length >= told, `${numbers.length} are on disk, ${told} were told of`);
    assert.deepEqual(
      numbers,
      Array.from(numbers, (_, i) => i + 1),
    );
  }
});

test('two lives of one participant with the same number are refused', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'grace-record-'));
  t.after(() => rmSync(folder, { recursive: true }));
  openRecord(folder, 'twin', 1);
  assert.throws(() => openRecord(folder, 'twin', 1), { code: 'EEXIST' });
});
