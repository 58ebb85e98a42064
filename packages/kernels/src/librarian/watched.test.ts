import assert from 'node:assert/strict';
import {
  mkdirSync,
  mkdtempSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { poll, rigKernels } from '@grace/testkit';
import { change, GUIDE, remembered, withRig } from './fixtures/librarian-rig.ts';
import librarian from './kernel.ts';

describe('a watched folder', () => {
  test('is read, followed through changes, and left by what is deleted', () =>
    withRig(async ({ rig, folder, call, search }) => {
      mkdirSync(join(folder, 'deep'));
      writeFileSync(join(folder, 'deep', 'guide.md'), GUIDE);
      writeFileSync(join(folder, '.hidden.md'), '# Hidden\n\nA hidden treasure.\n');
      writeFileSync(join(folder, 'image.png'), Buffer.from([0, 1, 2]));
      assert.deepEqual(await call('watch', { folder }), { folder, files: 1, known: false });
      assert.deepEqual(await call('watch', { folder }), { folder, files: 1, known: true });
      await poll('read', async () => (await search('fan degrees'))[0]?.place === join(folder, 'deep', 'guide.md'));
      writeFileSync(join(folder, 'new.txt'), 'The gangway is on the left side.');
      await poll('added', async () => (await search('gangway side'))[0]?.place === join(folder, 'new.txt'));
      writeFileSync(join(folder, 'new.txt'), 'The gangway is on the right side.');
      await poll('changed', async () => /right/.test((await search('gangway side'))[0]?.text ?? ''));
      unlinkSync(join(folder, 'new.txt'));
      await poll('deleted', async () =>
        (await search('gangway side')).every(({ place }) => !place.endsWith('new.txt')),
      );
      assert.equal((await search('hidden treasure')).filter(({ text }) => /treasure/.test(text)).length, 0);
      assert.equal(await remembered(rig), 2);
      assert.deepEqual(await call('unwatch', { folder }), { folder });
      assert.equal((await search('fan degrees'))[0]?.section, 'Guide / Cooling', 'its documents stay');
    }));

  test('is watched again after a restart, and what changed meanwhile is noticed', () =>
    withRig(async ({ rig, folder, call, search }) => {
      writeFileSync(join(folder, 'stays.txt'), 'Anchors are painted black.');
      writeFileSync(join(folder, 'goes.txt'), 'Ropes are coiled clockwise.');
      await call('watch', { folder });
      await poll(
        'both',
        async () => (await search('anchors painted')).length > 0 && (await search('ropes coiled')).length > 0,
      );
      const away = `${folder}-away`;
      renameSync(folder, away);
      try {
        await rig.restart('librarian');
        unlinkSync(join(away, 'goes.txt'));
        writeFileSync(join(away, 'comes.txt'), 'Sails are mended in winter.');
      } finally {
        renameSync(away, folder);
      }
      await rig.restart('librarian');
      await poll('new', async () => (await search('sails mended'))[0]?.place === join(folder, 'comes.txt'));
      await poll('gone', async () => (await search('ropes coiled')).every(({ place }) => !place.endsWith('goes.txt')));
      assert.equal((await search('anchors painted'))[0]?.place, join(folder, 'stays.txt'));
      writeFileSync(join(folder, 'later.txt'), 'Lanterns burn whale oil.');
      await poll('later', async () => (await search('lanterns burn'))[0]?.place === join(folder, 'later.txt'));
    }));

  test('never reads through a link', () =>
    withRig(async ({ folder, call, search }) => {
      const outside = realpathSync(mkdtempSync(join(tmpdir(), 'grace-outside-')));
      try {
        writeFileSync(join(outside, 'secret.txt'), 'The treasure lies under the oak.');
        symlinkSync(join(outside, 'secret.txt'), join(folder, 'link.txt'));
        symlinkSync(outside, join(folder, 'door'));
        writeFileSync(join(folder, 'own.txt'), 'The oak stands in the yard.');
        await call('watch', { folder });
        await poll('read', async () => (await search('oak yard'))[0]?.place === join(folder, 'own.txt'));
        type Status = { watches: { queued: number }[] };
        await poll('all read', async () => (await call<Status>('status')).watches[0]!.queued === 0);
        assert.ok((await search('treasure under the oak')).every(({ text }) => !/treasure/.test(text)));
        await assert.rejects(call('watch', { folder: join(folder, 'sub') }), { code: 'NOT_FOUND' });
        mkdirSync(join(folder, 'sub'));
        await assert.rejects(call('watch', { folder: join(folder, 'sub') }), { code: 'CONFLICT' });
      } finally {
        rmSync(outside, { recursive: true, force: true });
      }
    }));
});

describe('the probe of librarian', () => {
  test('finds another section each time, also several at once, without a pool thread, and leaves nothing', () =>
    withRig(async ({ rig, call }) => {
      const seen = await Promise.all(Array.from({ length: 12 }, () => rig.probe('librarian')));
      assert.ok(new Set(seen.map(({ section }) => section)).size > 2);
      const stats = await call<{ documents: number; chunks: number; workshop: { pooled: number } }>('stats');
      assert.deepEqual([stats.documents, stats.chunks, stats.workshop.pooled], [0, 0, 0]);
      assert.equal(await remembered(rig), 0);
    }));

  const broken: [what: string, kernel: string, sql: string][] = [
    [
      'its chunks are not kept',
      'librarian',
      'CREATE TRIGGER lose AFTER INSERT ON chunk BEGIN DELETE FROM chunk WHERE document = new.document; END',
    ],
    ['its table of chunks is gone', 'librarian', 'DROP TABLE chunk'],
    [
      'sections lose their names',
      'librarian',
      "CREATE TRIGGER blank AFTER INSERT ON chunk BEGIN UPDATE chunk SET section = 'x' WHERE document = new.document; END",
    ],
    [
      'the way back from memory is lost',
      'librarian',
      'CREATE TRIGGER cut AFTER UPDATE ON chunk WHEN new.memory IS NOT NULL BEGIN UPDATE chunk SET memory = NULL WHERE document = new.document; END',
    ],
    ['memory_fusion has lost its full text', 'memory_fusion', 'DROP TABLE memory_words'],
    [
      'memory_fusion keeps nothing',
      'memory_fusion',
      'CREATE TRIGGER lose AFTER INSERT ON memory_vector BEGIN DELETE FROM memory WHERE rowid = new.rowid; END',
    ],
  ];
  for (const [what, kernel, sql] of broken) {
    test(`fails when ${what}`, () =>
      withRig(async ({ rig }) => {
        await rig.probe('librarian');
        change(rig, kernel, sql);
        await assert.rejects(rig.probe('librarian'));
      }));
  }

  test('fails while memory_fusion is absent, and leaves no document', async () => {
    const rig = await rigKernels([librarian]);
    try {
      await assert.rejects(rig.probe('librarian'), { code: 'BUS_NO_RESPONDERS' });
      const { documents } = (await rig.call('librarian', 'stats')) as { documents: number };
      assert.equal(documents, 0);
    } finally {
      await rig.close();
    }
  });
});
