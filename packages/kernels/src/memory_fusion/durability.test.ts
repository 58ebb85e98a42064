import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createStore, type KernelDefinition } from '@grace/kernel-sdk';
import { type KernelRig, rigKernels } from '@grace/testkit';
import fc from 'fast-check';
import kernel from './kernel.ts';

interface Found {
  id: string;
  text: string;
  links: { relation: string; id: string }[];
}

/** The kernel on the state that another process left. */
async function onStateOf(home: string, work: (rig: KernelRig) => Promise<void>): Promise<void> {
  const store = createStore(join(home, 'memory_fusion'));
  const definition: KernelDefinition = { ...kernel, start: (ctx) => kernel.start({ ...ctx, store }) };
  try {
    const rig = await rigKernels([definition]);
    try {
      await work(rig);
      const { words, rows } = store.db
        .prepare('SELECT (SELECT count(*) FROM memory_words_docsize) AS words, (SELECT count(*) FROM memory) AS rows')
        .get() as { words: number; rows: number };
      const { vectors } = (await rig.call('memory_fusion', 'status')) as { vectors: number };
      assert.deepEqual([words, vectors], [rows, rows], 'each memory has its words and its vector');
      await rig.probe('memory_fusion');
    } finally {
      await rig.close();
    }
    assert.equal(store.db.prepare('PRAGMA integrity_check').get()!['integrity_check'], 'ok');
    store.db.exec("INSERT INTO memory_words (memory_words) VALUES ('integrity-check')");
  } finally {
    store.close();
    rmSync(home, { recursive: true, force: true });
  }
}

/** Runs the fixture to its violent end; `enough` of its lines, and it is killed. Gives its lines. */
async function killed(act: string, enough: number): Promise<string[]> {
  const fixture = fileURLToPath(new URL('./fixtures/ends-in-the-middle.ts', import.meta.url));
  const child = spawn(process.execPath, [fixture, act], { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line);
    if (lines.length === enough) child.kill('SIGKILL');
  }
  assert.deepEqual(await ended, [null, 'SIGKILL']);
  return lines;
}

async function withRig(work: (rig: KernelRig) => Promise<void>): Promise<void> {
  const rig = await rigKernels([kernel]);
  try {
    await work(rig);
  } finally {
    await rig.close();
  }
}
const call = async <T>(rig: KernelRig, verb: string, input: unknown): Promise<T> =>
  (await rig.call('memory_fusion', verb, input, 30_000)) as T;

describe('after kill -9', () => {
  test('in the middle of remember, every acknowledged memory is there, whole', async () => {
    const [home, ...ids] = await killed('remember', 301);
    await onStateOf(home!, async (rig) => {
      const { namespaces } = await call<{ namespaces: Record<string, { fact: number }> }>(rig, 'stats', {});
      assert.ok(namespaces['even']!.fact + namespaces['odd']!.fact >= 300);
      for (const id of ids.slice(0, 300))
        assert.deepEqual(
          await call(rig, 'link', { from: id, to: ids[(ids.indexOf(id) + 1) % 300], relation: 'next' }).then(
            (link) => (link as { known: boolean }).known,
          ),
          false,
        );
    });
  });

  test('in the middle of forget, nothing of what was to go is ever found again, and all else is there', async () => {
    const [home] = await killed('forget', -1);
    await onStateOf(home!, async (rig) => {
      assert.deepEqual(await call(rig, 'recall', { query: 'kernel restarted', namespace: 'even' }), []);
      const odd = await call<Found[]>(rig, 'recall', { query: 'kernel restarted', namespace: 'odd', limit: 100 });
      assert.equal(odd.length, 100);
      const { namespaces } = await call<{ namespaces: Record<string, { fact: number }> }>(rig, 'stats', {});
      assert.deepEqual(Object.keys(namespaces), ['odd']);
      assert.equal(namespaces['odd']!.fact, 1000);
      // What leaves may come back at once.
      assert.equal(
        (await call<{ known: boolean }>(rig, 'remember', { text: 'kernel number 4 restarted', namespace: 'even' }))
          .known,
        false,
      );
    });
  });
});

describe('what is forgotten', () => {
  /** How often a word stands in any file of the kernel, in the form it was said or in that of the index. */
  const traces = (rig: KernelRig, needle: string | Uint8Array): number =>
    readdirSync(rig.stateDir('memory_fusion')).filter((name) =>
      readFileSync(join(rig.stateDir('memory_fusion'), name)).includes(needle),
    ).length;

  test('is gone from text, full text, vectors, links and the write-ahead log', () =>
    withRig(async (rig) => {
      await call(rig, 'remember', { text: 'An ordinary memory stays.' });
      const secret = { text: 'Xylophonist Zwyndrago signs Qwurbel.', source: 'vkorplutsch', tags: ['jrimbuzt'] };
      const { id } = await call<{ id: string }>(rig, 'remember', secret);
      const store = createStore(rig.stateDir('memory_fusion'));
      const vector = store.db.prepare('SELECT vector FROM memory_vector ORDER BY rowid DESC LIMIT 1').get()![
        'vector'
      ] as Uint8Array;
      const part = vector.slice(100, 140);
      store.close();
      const words = ['Zwyndrago', 'zwyndrago', 'qwurbel', 'vkorplutsch', 'jrimbuzt', id];
      assert.ok(words.every((word) => traces(rig, word) > 0) && traces(rig, part) > 0, 'it was there');
      await call(rig, 'forget', { id });
      assert.deepEqual(
        [...words, part].filter((needle) => traces(rig, needle) > 0),
        [],
      );
    }));

  test('leaves no copy in pages that were rearranged, when the file is rewritten', () =>
    withRig(async (rig) => {
      const word = (n: number): string => `q${(n * 7919).toString(36)}z${(n * 104_729).toString(36)}`;
      for (let n = 0; n < 1500; n += 100)
        await Promise.all(
          Array.from({ length: 100 }, (_, i) =>
            call(rig, 'remember', {
              text: `${word(n + i)} was here among others`,
              source: (n + i) % 3 === 0 ? 'stays' : 'goes',
            }),
          ),
        );
      assert.deepEqual(await call(rig, 'forget', { source: 'goes', thorough: true }), { forgotten: 1000 });
      const left = Array.from({ length: 1500 }, (_, n) => n).filter(
        (n) => n % 3 !== 0 && traces(rig, `${word(n)} was`) > 0,
      );
      assert.deepEqual(left, []);
      assert.equal((await call<Found[]>(rig, 'recall', { query: word(3) }))[0]?.text.split(' ')[0], word(3));
    }));
});

describe('memory_fusion', () => {
  test('any string is a question that is answered, never an error of its syntax', () =>
    withRig(async (rig) => {
      await call(rig, 'remember', { text: 'A kernel near the core, "quoted".', tags: ['NOT'] });
      const hostile = fc.oneof(
        fc.string({ unit: 'binary', minLength: 1, maxLength: 60 }),
        fc
          .array(
            fc.constantFrom(
              'kernel',
              'AND',
              'OR',
              'NOT',
              'NEAR(',
              ')',
              '"',
              "'",
              '*',
              '^',
              ':',
              '-',
              '+',
              '{',
              '}',
              ',',
              '\0',
              'words:',
              ';--',
            ),
            { minLength: 1, maxLength: 12 },
          )
          .map((parts) => parts.join(' ')),
      );
      await fc.assert(
        fc.asyncProperty(hostile, async (query) => {
          assert.ok(Array.isArray(await call(rig, 'recall', { query })));
        }),
        { numRuns: 150 },
      );
    }));

  test('memories may be linked in a circle, and to themselves not', () =>
    withRig(async (rig) => {
      const ids: string[] = [];
      for (const text of ['alpha one', 'beta two', 'gamma three'])
        ids.push((await call<{ id: string }>(rig, 'remember', { text })).id);
      for (let i = 0; i < 3; i++) await call(rig, 'link', { from: ids[i], to: ids[(i + 1) % 3], relation: 'before' });
      const [found] = await call<Found[]>(rig, 'recall', { query: 'alpha' });
      assert.deepEqual(new Set(found!.links.map(({ id }) => id)), new Set(ids.slice(1)));
      await assert.rejects(call(rig, 'link', { from: ids[0], to: ids[0], relation: 'before' }), { code: 'BAD_INPUT' });
      assert.deepEqual(await call(rig, 'forget', { ids }), { forgotten: 3 });
      assert.equal((await call<{ links: number }>(rig, 'stats', {})).links, 0);
    }));

  test('a damaged file is refused by its name and left as it is', async () => {
    const home = mkdtempSync(join(tmpdir(), 'grace-damaged-'));
    try {
      const store = createStore(home);
      const noise = Buffer.alloc(8192, 0xa5);
      writeFileSync(store.path, noise);
      const definition: KernelDefinition = { ...kernel, start: (ctx) => kernel.start({ ...ctx, store }) };
      await assert.rejects(rigKernels([definition]), (error: { code?: string; message: string }) => {
        assert.equal(error.code, 'STORAGE_DAMAGED');
        assert.ok(error.message.includes(store.path), error.message);
        return true;
      });
      assert.deepEqual(readFileSync(store.path), noise);
    } finally {
      rmSync(home, { recursive: true, force: true });
    }
  });

  test('a full text that was lost is made anew at the next start', () =>
    withRig(async (rig) => {
      await call(rig, 'remember', { text: 'The lease of the fault is ten seconds.' });
      const store = createStore(rig.stateDir('memory_fusion'));
      store.db.exec('DROP TABLE memory_words');
      store.close();
      await assert.rejects(rig.probe('memory_fusion'));
      await rig.restart('memory_fusion');
      await rig.probe('memory_fusion');
      assert.equal((await call<Found[]>(rig, 'recall', { query: 'leases of faults' })).length, 1);
    }));
});
