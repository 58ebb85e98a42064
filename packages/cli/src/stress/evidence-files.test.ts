import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { AnyRecord } from '@grace/contracts';
import { evidenceFiles } from './evidence-files.ts';

const kept = (seq: number, file: string): AnyRecord =>
  ({
    seq,
    name: 'kernel:evidence',
    wallMs: 0,
    monoMs: 0,
    data: { kind: 'stack', incident: null, file, bytes: 1, top: [] },
  }) as AnyRecord;

test('the evidence of a run is what was kept since it began, still exists, and lies where evidence lies', (t) => {
  const home = mkdtempSync(join(tmpdir(), 'grace-evidence-'));
  t.after(() => rmSync(home, { recursive: true, force: true }));
  for (const folder of ['evidence/i-1', 'run']) mkdirSync(join(home, folder), { recursive: true });
  for (const file of ['evidence/i-1/a.txt', 'evidence/i-1/b.txt', 'run/bus.key']) writeFileSync(join(home, file), 'x');
  const start = { seq: 10, name: 'run:start', wallMs: 0, monoMs: 0, data: { run: 'r1' } } as unknown as AnyRecord;
  const files = evidenceFiles(
    [
      kept(5, 'evidence/i-1/a.txt'),
      start,
      kept(11, 'evidence/i-1/b.txt'),
      kept(12, 'evidence/i-1/gone.txt'),
      kept(13, 'evidence/../run/bus.key'),
      kept(14, join(home, 'run/bus.key')),
    ],
    'r1',
    home,
  );
  assert.deepEqual([...files], [['evidence/i-1/b.txt', join(home, 'evidence/i-1/b.txt')]]);
});
