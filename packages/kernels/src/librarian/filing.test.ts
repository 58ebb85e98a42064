import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { createStore, type KernelLog } from '@grace/kernel-sdk';
import { createFiling } from './filing.ts';
import type { Memory } from './memory.ts';
import { openLibrary } from './store/library.ts';

const silent: KernelLog = { trace() {}, debug() {}, info() {}, warn() {}, error() {} };
const DOCUMENT = {
  ...{ id: 'd1', namespace: 'n', hash: 'h', type: 'txt' as const, title: 'T', note: null },
  ...{ characters: 4, atMs: 1, source: 'place' },
};
const CHUNK = { section: 'line 1', text: 'text', overlap: 0 };

/** A memory whose answers the test gives when it likes: the order of events is the point here. */
function drivenMemory() {
  const forgotten: string[][] = [];
  const held: (() => void)[] = [];
  const state = { hold: false, down: false };
  const memory: Memory = {
    async remember(namespace, texts) {
      if (state.hold) await new Promise<void>((resolve) => held.push(resolve));
      return texts.map(({ source, text }) => `${namespace} ${source} ${text}`);
    },
    async forget(ids) {
      if (state.down) throw new Error('down');
      forgotten.push([...ids]);
    },
    recall: () => Promise.resolve([]),
    forgetAll: () => Promise.resolve(),
    count: () => Promise.resolve(0),
  };
  return { memory, forgotten, held, state };
}

async function withFiling(
  work: (
    parts: ReturnType<typeof drivenMemory> & {
      library: ReturnType<typeof openLibrary>;
      filing: ReturnType<typeof createFiling>;
    },
  ) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'grace-filing-'));
  const store = createStore(folder);
  const driven = drivenMemory();
  const library = openLibrary(store);
  try {
    await work({ ...driven, library, filing: createFiling(library, driven.memory, silent) });
  } finally {
    store.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

describe('filing', () => {
  test('a text that is coming back is not forgotten on its way in', () =>
    withFiling(async ({ library, filing, forgotten, held, state }) => {
      library.shelve(DOCUMENT, 'place', [CHUNK]);
      await filing.file('d1');
      state.down = true;
      await assert.rejects(filing.remove('n', 'place'), /down/);
      state.down = false;
      state.hold = true;
      library.shelve(DOCUMENT, 'place', [CHUNK]);
      const filed = filing.file('d1');
      await filing.unfile();
      assert.deepEqual(forgotten, []);
      for (const go of held) go();
      await filed;
      await filing.unfile();
      assert.deepEqual(forgotten, []);
      assert.equal(library.stats().unfiling, 0);
    }));

  test('what left while it was on its way in is forgotten when it has arrived', () =>
    withFiling(async ({ library, filing, forgotten, held, state }) => {
      state.hold = true;
      library.shelve(DOCUMENT, 'place', [CHUNK]);
      const filed = filing.file('d1');
      library.removePlace('n', 'place');
      for (const go of held) go();
      await filed;
      await filing.unfile();
      assert.deepEqual(forgotten, [['n place#line 1 T / line 1\ntext']]);
    }));

  test('what memory refused to forget is forgotten by a later settlement', () =>
    withFiling(async ({ library, filing, forgotten, state }) => {
      library.shelve(DOCUMENT, 'place', [CHUNK]);
      await filing.file('d1');
      state.down = true;
      await assert.rejects(filing.remove('n', 'place'), /down/);
      assert.equal(library.stats().unfiling, 1);
      state.down = false;
      await filing.settle(new AbortController().signal);
      assert.equal(forgotten.length, 1);
      assert.equal(library.stats().unfiling, 0);
    }));
});
