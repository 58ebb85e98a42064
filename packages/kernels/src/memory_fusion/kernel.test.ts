import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import { type KernelRig, poll, rigKernels } from '@grace/testkit';
import memoryFusion from './kernel.ts';
import { PARAPHRASES } from './probe.ts';

interface Found {
  id: string;
  text: string;
  score: number;
  parts: { text: number; vector: number; recency: number; trust: number };
  links: { relation: string; direction: string; id: string }[];
}

async function withRig(work: (rig: KernelRig) => Promise<void>, config: Record<string, unknown> = {}): Promise<void> {
  const rig = await rigKernels([memoryFusion], { config: { memory_fusion: config } });
  try {
    await work(rig);
  } finally {
    await rig.close();
  }
}

const remember = async (rig: KernelRig, input: Record<string, unknown>): Promise<{ id: string; known: boolean }> =>
  (await rig.call('memory_fusion', 'remember', input)) as { id: string; known: boolean };
const recall = async (rig: KernelRig, input: Record<string, unknown>): Promise<Found[]> =>
  (await rig.call('memory_fusion', 'recall', input)) as Found[];
const stored = (rig: KernelRig): DatabaseSync => new DatabaseSync(join(rig.stateDir('memory_fusion'), 'store.sqlite'));
const refused = (rig: KernelRig, verb: string, input: unknown, code: string, message?: RegExp): Promise<void> =>
  assert.rejects(
    rig.call('memory_fusion', verb, input),
    (error: { code?: string; message: string }) => error.code === code && (!message || message.test(error.message)),
    `${verb} ${JSON.stringify(input)?.slice(0, 80)} -> ${code}`,
  );

describe('memory_fusion', () => {
  test('what is said twice by one source is remembered once, and an explicit field replaces the stored one', () =>
    withRig(async (rig) => {
      const text = 'The vault is rotated on Mondays.';
      const first = await remember(rig, { text, source: 'handbook' });
      assert.equal(first.known, false);
      assert.deepEqual(await remember(rig, { text, source: 'handbook', trust: 0.9 }), { id: first.id, known: true });
      const other = await remember(rig, { text, source: 'rumour' });
      assert.notEqual(other.id, first.id);
      const found = await recall(rig, { query: 'vault rotation' });
      assert.deepEqual(
        found.map(({ id }) => id),
        [first.id, other.id],
        'more trust comes first',
      );
    }));

  test('the score of a recalled memory is what its parts say, and kinds are kept apart', () =>
    withRig(async (rig) => {
      await remember(rig, { text: 'kernel librarian restarted', kind: 'event' });
      await remember(rig, { text: 'the librarian is a kernel', kind: 'fact' });
      const all = await recall(rig, { query: 'librarian kernel' });
      assert.equal(all.length, 2);
      for (const { score, parts } of all) {
        assert.ok(Math.abs(score - (parts.text + parts.vector) * parts.recency * parts.trust) < 1e-9);
      }
      const events = await recall(rig, { query: 'librarian kernel', kinds: ['event'] });
      assert.deepEqual(
        events.map(({ text }) => text),
        ['kernel librarian restarted'],
      );
      assert.deepEqual(await recall(rig, { query: 'librarian kernel', namespace: 'elsewhere' }), []);
    }));

  test('a known memory that changes its kind is found under the new one', () =>
    withRig(async (rig) => {
      await remember(rig, { text: 'kernel librarian restarted', kind: 'event' });
      await recall(rig, { query: 'librarian' });
      await remember(rig, { text: 'kernel librarian restarted', kind: 'fact' });
      assert.equal((await recall(rig, { query: 'librarian', kinds: ['event'] })).length, 0);
      const [found] = await recall(rig, { query: 'librarian', kinds: ['fact'] });
      assert.ok(found!.parts.text > 0 && found!.parts.vector > 0);
    }));

  test('a newer event comes before an older one that matches as well', () =>
    withRig(async (rig) => {
      const day = 86_400_000;
      await remember(rig, { text: 'bus overloaded', source: 'old', kind: 'event', atMs: Date.now() - 60 * day });
      await remember(rig, { text: 'bus overloaded', source: 'new', kind: 'event', atMs: Date.now() });
      const [first] = (await recall(rig, { query: 'bus overloaded' })) as unknown as { source: string }[];
      assert.equal(first!.source, 'new');
    }));

  test('a tag finds its memory', () =>
    withRig(async (rig) => {
      const { id } = await remember(rig, { text: 'The cell came back.', tags: ['incidentReview'] });
      assert.equal((await recall(rig, { query: 'incident' }))[0]?.id, id);
    }));

  test('links are shown at both ends and go with either memory', () =>
    withRig(async (rig) => {
      const cause = await remember(rig, { text: 'disk was full' });
      const effect = await remember(rig, { text: 'journal stopped' });
      const link = { from: cause.id, to: effect.id, relation: 'caused' };
      assert.deepEqual(await rig.call('memory_fusion', 'link', link), { ...link, known: false });
      assert.deepEqual(await rig.call('memory_fusion', 'link', link), { ...link, known: true });
      const [found] = await recall(rig, { query: 'disk full' });
      assert.deepEqual(found!.links, [{ relation: 'caused', direction: 'to', id: effect.id }]);
      const [other] = await recall(rig, { query: 'journal stopped' });
      assert.deepEqual(other!.links, [{ relation: 'caused', direction: 'from', id: cause.id }]);
      await rig.call('memory_fusion', 'forget', { id: effect.id });
      assert.deepEqual((await recall(rig, { query: 'disk full' }))[0]!.links, []);
    }));

  test('forget removes by id, by source and by namespace, from text and vectors alike', () =>
    withRig(async (rig) => {
      const one = await remember(rig, { text: 'alpha kernel', source: 's' });
      await remember(rig, { text: 'beta kernel', source: 's' });
      await remember(rig, { text: 'beta kernel', source: 's', namespace: 'other' });
      for (let i = 0; i < 450; i++) await remember(rig, { text: `kernel ${i}`, namespace: 'many' });
      await recall(rig, { query: 'kernel' });
      assert.deepEqual(await rig.call('memory_fusion', 'forget', { id: one.id }), { forgotten: 1 });
      assert.deepEqual(await rig.call('memory_fusion', 'forget', { source: 's', namespace: 'default' }), {
        forgotten: 1,
      });
      assert.deepEqual(await recall(rig, { query: 'kernel' }), []);
      assert.deepEqual(await rig.call('memory_fusion', 'forget', { source: 's' }), { forgotten: 1 });
      assert.deepEqual(await rig.call('memory_fusion', 'forget', { namespace: 'many' }), { forgotten: 450 });
      const { memories, vectors } = (await rig.call('memory_fusion', 'status')) as Record<string, number>;
      assert.deepEqual([memories, vectors], [0, 0]);
    }));

  test('state survives a restart', () =>
    withRig(async (rig) => {
      const { id } = await remember(rig, { text: 'The lease of the fault is ten seconds.' });
      await rig.restart('memory_fusion');
      const [found] = await recall(rig, { query: 'how long are fault leases' });
      assert.equal(found!.id, id);
      assert.ok(found!.parts.text > 0 && found!.parts.vector > 0);
    }));

  test('vectors of another embedder are made anew at the start', async () => {
    await withRig(async (rig) => {
      await remember(rig, { text: 'spinning threads are interrupted' });
      const db = stored(rig);
      db.exec(
        "UPDATE kv SET value = '\"older\"' WHERE key = 'embedder'; UPDATE memory_vector SET vector = zeroblob(64)",
      );
      db.close();
      await rig.restart('memory_fusion');
      await poll(
        'its vector',
        async () => ((await recall(rig, { query: 'spinning thread' }))[0]?.parts.vector ?? 0) > 0,
      );
    });
  });

  test('a namespace is held to its count and age, the oldest going first', () =>
    withRig(
      async (rig) => {
        for (let i = 0; i < 25; i++) await remember(rig, { text: `kernel ${i}`, namespace: 'few', atMs: 1000 + i });
        await remember(rig, { text: 'ancient kernel', namespace: 'short/lived', atMs: 1 });
        await remember(rig, { text: 'young kernel', namespace: 'short/lived' });
        await poll('retention', async () => {
          const found = await recall(rig, { query: 'kernel', namespace: 'few', limit: 100 });
          return found.length === 10 && found.every(({ text }) => Number(text.split(' ')[1]) >= 15);
        });
        await poll('age', async () => (await recall(rig, { query: 'kernel', namespace: 'short/lived' })).length === 1);
      },
      { namespaces: { few: { maxItems: 10 }, short: { maxAgeMs: 60_000 } } },
    ));

  test('a hundred memories at once are kept in few transactions, each under its own id', () =>
    withRig(async (rig) => {
      const kept = await Promise.all(
        Array.from({ length: 100 }, (_, i) => remember(rig, { text: `kernel number ${i}`, namespace: 'batch' })),
      );
      assert.equal(new Set(kept.map(({ id }) => id)).size, 100);
      const stats = (await rig.call('memory_fusion', 'stats')) as { namespaces: Record<string, { fact: number }> };
      assert.equal(stats.namespaces['batch']!.fact, 100);
    }));

  test('bad input is refused with a code that says what is wrong', () =>
    withRig(async (rig) => {
      await refused(rig, 'remember', {}, 'BAD_INPUT', /input\.text/);
      await refused(rig, 'remember', { text: '!?' }, 'BAD_INPUT', /letter or digit/);
      await refused(rig, 'remember', { text: 'x', knd: 'fact' }, 'BAD_INPUT', /did you mean "kind"/);
      await refused(rig, 'remember', { text: 'x', kind: 'facts' }, 'BAD_INPUT', /did you mean "fact"/);
      await refused(rig, 'remember', { text: 'x', trust: 2 }, 'BAD_INPUT');
      await refused(rig, 'remember', { text: 'x', namespace: 'A B' }, 'BAD_INPUT', /namespace/);
      await refused(rig, 'remember', { text: 'x'.repeat(65_537) }, 'TOO_LARGE');
      await refused(rig, 'recall', { query: '' }, 'BAD_INPUT');
      await refused(rig, 'recall', { query: 'x', limit: 1000 }, 'BAD_INPUT');
      await refused(rig, 'forget', {}, 'BAD_INPUT');
      await refused(rig, 'forget', { id: '0'.repeat(24), source: 's' }, 'BAD_INPUT');
      await refused(rig, 'forget', { id: '0'.repeat(24) }, 'NOT_FOUND');
      await refused(rig, 'link', { from: '0'.repeat(24), to: '1'.repeat(24), relation: 'r' }, 'NOT_FOUND');
      await refused(rig, 'link', { from: '0'.repeat(24), to: '0'.repeat(24), relation: 'r' }, 'BAD_INPUT');
      await refused(rig, 'stats', { all: true }, 'BAD_INPUT');
      await refused(rig, 'status', 7, 'BAD_INPUT');
    }));

  test('when memory is short the vectors are dropped, and what is recalled is the same', () =>
    withRig(async (rig) => {
      for (const text of ['the vault is rotated on mondays', 'readers come on tuesdays', 'the fan starts at sixty'])
        await remember(rig, { text });
      const bytes = async (): Promise<number> =>
        ((await rig.call('memory_fusion', 'stats')) as { cache: { bytes: number } }).cache.bytes;
      const before = await recall(rig, { query: 'rotation of the vault' });
      assert.ok((await bytes()) > 0);
      await rig.press('memory_fusion', { of: 'external', bytes: 85, limitBytes: 100, ratio: 0.85 });
      assert.equal(await bytes(), 0);
      const ids = (found: Found[]): string[] => found.map(({ id }) => id);
      assert.deepEqual(ids(await recall(rig, { query: 'rotation of the vault' })), ids(before));
    }));

  test('a query of full-text syntax, quotes and signs is only words', () =>
    withRig(async (rig) => {
      await remember(rig, { text: 'kernel near the core' });
      for (const query of [
        'kernel AND',
        '"kernel',
        'kernel*) OR (',
        'NEAR(kernel core)',
        "'; DROP TABLE memory; --",
        '^{}:-',
      ]) {
        await recall(rig, { query });
      }
      assert.equal((await recall(rig, { query: 'kernel" OR "' })).length, 1);
    }));

  test('a wrong setting is refused with its key', async () => {
    await assert.rejects(
      rigKernels([memoryFusion], { config: { memory_fusion: { maxItem: 5 } } }),
      (error: { code?: string; message: string }) =>
        /kernels\.memory_fusion\.config\.maxItem .*did you mean "maxItems"/.test(error.message),
    );
  });

  describe('its probe', () => {
    test('recalls each of its sentences by a paraphrase, also several at once, and leaves nothing', () =>
      withRig(async (rig) => {
        const seen = await Promise.all(PARAPHRASES.map(() => rig.probe('memory_fusion')));
        assert.deepEqual(new Set(seen.map(({ recalled }) => recalled)), new Set(PARAPHRASES.map(([text]) => text)));
        const { memories } = (await rig.call('memory_fusion', 'status')) as { memories: number };
        assert.equal(memories, 0);
      }));

    const broken: Record<string, string> = {
      'the full text is gone': 'DROP TABLE memory_words',
      'the full text is emptied by a rewrite of its table':
        'DROP TABLE memory_words; CREATE TABLE memory_words (words, tags)',
      'the vectors are not kept':
        'CREATE TRIGGER lose AFTER INSERT ON memory_vector BEGIN DELETE FROM memory_vector WHERE rowid = new.rowid; END',
      'the vectors are zero':
        'CREATE TRIGGER blank AFTER INSERT ON memory_vector BEGIN UPDATE memory_vector SET vector = zeroblob(2048) WHERE rowid = new.rowid; END',
      'the disk refuses': "CREATE TRIGGER refuse BEFORE INSERT ON memory BEGIN SELECT RAISE(ABORT, 'disk'); END",
    };
    for (const [what, sql] of Object.entries(broken)) {
      test(`fails when ${what}`, () =>
        withRig(async (rig) => {
          await rig.probe('memory_fusion');
          const db = stored(rig);
          db.exec(sql);
          db.close();
          await assert.rejects(rig.probe('memory_fusion'));
        }));
    }

    test('fails when stored memories have lost their vectors', () =>
      withRig(async (rig) => {
        await remember(rig, { text: 'a kernel' });
        await rig.probe('memory_fusion');
        const db = stored(rig);
        db.exec('DELETE FROM memory_vector');
        db.close();
        await assert.rejects(rig.probe('memory_fusion'), /of 1 memories 0 have lost their words and 1 their vectors/);
      }));
  });
});
