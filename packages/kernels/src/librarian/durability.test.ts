import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createStore, type KernelDefinition } from '@grace/kernel-sdk';
import { poll, rigKernels } from '@grace/testkit';
import memoryFusion from '../memory_fusion/kernel.ts';
import { contentOf } from './fixtures/contents.ts';
import librarian from './kernel.ts';

test('after kill -9 in the middle of ingest there is no half document, nothing twice, and what was acknowledged is found', async () => {
  const fixture = fileURLToPath(new URL('./fixtures/ends-in-the-middle.ts', import.meta.url));
  const child = spawn(process.execPath, [fixture], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line);
    if (lines.length === 30) child.kill('SIGKILL');
  }
  assert.deepEqual(await ended, [null, 'SIGKILL']);
  const state = lines[0]!;
  const stores = ['memory_fusion', 'librarian'].map((id) => createStore(join(state, id)));
  const onStore = (kernel: KernelDefinition, i: number): KernelDefinition => ({
    ...kernel,
    start: (ctx) => kernel.start({ ...ctx, store: stores[i]! }),
  });
  const library = stores[1]!.db;
  try {
    const rig = await rigKernels([onStore(memoryFusion, 0), onStore(librarian, 1)]);
    try {
      const stats = async (): Promise<Record<string, number>> =>
        (await rig.call('librarian', 'stats', {}, 30_000)) as Record<string, number>;
      await poll(
        'what was left to be done',
        async () => {
          const { waiting, unfiling } = await stats();
          return waiting === 0 && unfiling === 0;
        },
        { deadlineMs: 60_000 },
      );
      for (const number of lines.slice(1, 30).map(Number)) {
        const place = `${number}.md`;
        const row = library
          .prepare(
            "SELECT group_concat(c.text, '') AS text FROM place p JOIN chunk c ON c.document = p.document WHERE p.place = ?",
          )
          .get(place)!;
        assert.equal(String(row['text']), contentOf(number, 'second'), place);
        const found = (await rig.call(
          'librarian',
          'search',
          { query: `ship ${number} mast second built` },
          30_000,
        )) as { place: string; section: string }[];
        assert.ok(
          found.some((one) => one.place === place && one.section === 'Mast'),
          place,
        );
      }
      // Each chunk is one memory, each memory a chunk: nothing half, nothing twice, nothing left behind.
      const chunks = library.prepare('SELECT count(*) AS n, count(DISTINCT memory) AS memories FROM chunk').get() as {
        n: number;
        memories: number;
      };
      const { namespaces } = (await rig.call('memory_fusion', 'stats', {}, 30_000)) as {
        namespaces: Record<string, { document: number }>;
      };
      assert.deepEqual([chunks.memories, namespaces['library']!.document], [chunks.n, chunks.n]);
      const odd = library.prepare('SELECT document, count(*) AS n FROM chunk GROUP BY document HAVING n <> 3').all();
      assert.deepEqual(odd, []);
      await rig.probe('librarian');
    } finally {
      await rig.close();
    }
  } finally {
    for (const store of stores) store.close();
    rmSync(state, { recursive: true, force: true });
  }
});
