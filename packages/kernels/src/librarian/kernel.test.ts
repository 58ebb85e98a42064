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
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import { type KernelRig, poll, rigKernels } from '@grace/testkit';
import memoryFusion from '../memory_fusion/kernel.ts';
import librarian from './kernel.ts';

interface Found {
  document: string;
  section: string;
  place: string;
  text: string;
}
interface Ingested {
  document: string;
  chunks: number;
  known: boolean;
  note?: string;
}
interface Parts {
  rig: KernelRig;
  folder: string;
  call<T>(verb: string, input?: unknown): Promise<T>;
  ingest(name: string, text: string): Promise<Ingested>;
  search(query: string): Promise<Found[]>;
}

async function withRig(work: (parts: Parts) => Promise<void>, config: Record<string, unknown> = {}): Promise<void> {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'grace-library-')));
  const rig = await rigKernels([memoryFusion, librarian], { config: { librarian: config } });
  const call = async <T>(verb: string, input?: unknown): Promise<T> =>
    (await rig.call('librarian', verb, input, 30_000)) as T;
  try {
    await work({
      rig,
      folder,
      call,
      ingest: (name, text) => call('ingest', { name, text }),
      search: (query) => call('search', { query }),
    });
  } finally {
    await rig.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

const change = (rig: KernelRig, kernel: string, sql: string): void => {
  const db = new DatabaseSync(join(rig.stateDir(kernel), 'store.sqlite'));
  db.exec(sql);
  db.close();
};
const remembered = async (rig: KernelRig): Promise<number> =>
  ((await rig.call('memory_fusion', 'status')) as { memories: number }).memories;

const GUIDE =
  '# Guide\n\n## Cooling\n\nThe fan starts at sixty degrees.\n\n## Cleaning\n\nWipe the lens with a dry cloth.\n';

describe('librarian', () => {
  test('a question leads to the section that answers it, under its heading and source', () =>
    withRig(async ({ rig, ingest, search }) => {
      const { document, chunks, known } = await ingest('guide.md', GUIDE);
      assert.deepEqual([chunks, known], [2, false]);
      const [found] = await search('when do fans start');
      assert.equal(found!.document, document);
      assert.equal(found!.section, 'Guide / Cooling');
      assert.match(found!.text, /sixty degrees/);
      const recalled = await rig.call('memory_fusion', 'recall', { query: 'lens cloth', namespace: 'library' });
      assert.equal((recalled as { source: string }[])[0]!.source, 'guide.md#Guide / Cleaning');
    }));

  test('equal content is one document, wherever it stands', () =>
    withRig(async ({ rig, ingest, call }) => {
      const [first, second] = await Promise.all([ingest('a.md', GUIDE), ingest('b.md', GUIDE)]);
      const again = await ingest('a.md', GUIDE);
      assert.equal(first!.document, second!.document);
      assert.deepEqual(again, { document: first!.document, chunks: 2, known: true });
      const { places } = await call<{ places: string[] }>('document', { id: again.document });
      assert.deepEqual(places, ['a.md', 'b.md']);
      assert.equal(await remembered(rig), 2);
    }));

  test('new content at a place replaces the old one, also in memory; an unchanged section stays', () =>
    withRig(async ({ rig, ingest, search, call }) => {
      const { document } = await ingest('guide.md', GUIDE);
      await ingest('guide.md', GUIDE.replace('sixty', 'ninety'));
      assert.match((await search('fan starts degrees'))[0]!.text, /ninety/);
      assert.match((await search('dry cloth'))[0]!.text, /Wipe/);
      assert.equal(await remembered(rig), 2);
      await assert.rejects(call('document', { id: document }), { code: 'NOT_FOUND' });
    }));

  test('a content that leaves the place its memories name is filed under the place it still has', () =>
    withRig(async ({ rig, ingest, search }) => {
      await ingest('a.md', GUIDE);
      await ingest('b.md', GUIDE);
      await ingest('a.md', '# Other\n\nNothing about it.\n');
      const recalled = await rig.call('memory_fusion', 'recall', { query: 'fan sixty degrees', namespace: 'library' });
      const sources = (recalled as { source: string }[]).map(({ source }) => source);
      assert.ok(sources.includes('b.md#Guide / Cooling'), `${sources}`);
      assert.ok(!sources.includes('a.md#Guide / Cooling'), `${sources}`);
      assert.equal((await search('fan sixty degrees'))[0]!.place, 'b.md');
    }));

  test('a large document is split in a thread of the pool, and the pool has no thread at rest', () =>
    withRig(async ({ ingest, search, call }) => {
      const paragraph = 'The archive of the city keeps maps, letters and ledgers in separate rooms.\n\n';
      const text = `${'## Rooms\n\n'}${paragraph.repeat(200)}## Opening hours\n\nReaders come on Tuesdays.\n`;
      const { chunks } = await ingest('archive.md', text);
      assert.ok(chunks > 8);
      const during = await call<{ workshop: { pooled: number; threads: number } }>('stats');
      assert.equal(during.workshop.pooled, 1);
      assert.equal((await search('which day do readers come'))[0]!.section, 'Opening hours');
      await poll('no threads', async () => (await call<typeof during>('stats')).workshop.threads === 0);
    }));

  test('when memory is short, threads without work end at once, and others are made when there is work', () =>
    withRig(async ({ rig, ingest, call }) => {
      const pressure = { of: 'cell', bytes: 9, limitBytes: 10, ratio: 0.9 } as const;
      const threads = async (): Promise<number> =>
        (await call<{ workshop: { threads: number } }>('stats')).workshop.threads;
      const text = 'The archive of the city keeps maps, letters and ledgers in separate rooms.\n\n'.repeat(200);
      // It leaves an idle thread, which stays for 2 s unless it is ended.
      await ingest('first.md', text);
      assert.equal(await threads(), 1);
      await rig.press('librarian', pressure);
      assert.equal(await threads(), 0);
      assert.ok(rig.logs.some(({ message }) => message === 'threads ended: memory is short'));
      assert.ok((await ingest('second.md', `${text}and more`)).chunks > 8);
    }));

  test('documents that could not be filed are filed when memory is back, and found after a restart', () =>
    withRig(async ({ rig, ingest, search, call }) => {
      change(
        rig,
        'memory_fusion',
        "CREATE TRIGGER refuse BEFORE INSERT ON memory BEGIN SELECT RAISE(ABORT, 'disk'); END",
      );
      await assert.rejects(ingest('guide.md', GUIDE));
      assert.equal((await call<{ waiting: number }>('stats')).waiting, 1);
      change(rig, 'memory_fusion', 'DROP TRIGGER refuse');
      await rig.restart('librarian');
      await poll('filed', async () => (await search('fan degrees'))[0]?.section === 'Guide / Cooling');
      assert.equal((await call<{ waiting: number }>('stats')).waiting, 0);
    }));

  test('when memory has lost everything, the library is filed anew at the next start', () =>
    withRig(async ({ rig, ingest, search }) => {
      await ingest('guide.md', GUIDE);
      await rig.call('memory_fusion', 'forget', { namespace: 'library' });
      assert.deepEqual(await search('fan degrees'), []);
      await rig.restart('librarian');
      await poll('filed anew', async () => (await search('fan degrees'))[0]?.section === 'Guide / Cooling');
    }));

  test('a document is shown with its sections, and summarised in its own sentences', () =>
    withRig(async ({ ingest, call }) => {
      const { document } = await ingest('guide.md', GUIDE);
      const shown = await call<Record<string, unknown>>('document', { id: document });
      assert.deepEqual(
        [
          shown['title'],
          shown['type'],
          shown['filed'],
          (shown['sections'] as { section: string }[]).map((s) => s.section),
        ],
        ['Guide', 'md', true, ['Guide / Cooling', 'Guide / Cleaning']],
      );
      const { sentences } = await call<{ sentences: string[] }>('summarise', { id: document, sentences: 2 });
      assert.deepEqual(sentences, ['The fan starts at sixty degrees.', 'Wipe the lens with a dry cloth.']);
      const long = `${'Kernels are restarted by the supervisor. '.repeat(300)}Kernels and supervisor share a journal.`;
      assert.equal(
        (await call<{ sentences: string[] }>('summarise', { text: long, sentences: 1 })).sentences.length,
        1,
      );
    }));

  test('files of every type are read; one that is not what its name says is filed as plain text with a note', () =>
    withRig(async ({ folder, call, search }) => {
      const files: Record<string, [content: string, question: string, section: string]> = {
        'page.html': ['<h1>Harbour</h1><p>Ferries leave hourly.', 'ferries leaving', 'Harbour'],
        'data.json': ['{"harbour":{"cranes":7}}', 'cranes', '$.harbour.cranes'],
        'rows.csv': ['ship,cargo\nNora,timber\n', 'timber', 'row 2'],
        'main.ts': ['export function unload(): void {}\n', 'unload function', 'unload, line 1'],
        'notes.txt': ['The pier is closed.', 'pier closed', 'line 1'],
        'broken.json': ['{"lighthouse": ', 'lighthouse', 'line 1'],
      };
      for (const [name, [content, question, section]] of Object.entries(files)) {
        writeFileSync(join(folder, name), content);
        const { note } = await call<Ingested>('ingest', { path: join(folder, name) });
        assert.equal(note !== undefined, name === 'broken.json', name);
        const [found] = await search(question);
        assert.deepEqual([found?.section, found?.place], [section, join(folder, name)], name);
      }
    }));

  test('bad input is refused with a code that says what is wrong', () =>
    withRig(
      async ({ folder, call }) => {
        const refused = (verb: string, input: unknown, code: string, message = /./): Promise<void> =>
          assert.rejects(
            call(verb, input),
            (error: { code?: string; message: string }) => error.code === code && message.test(error.message),
            `${verb} ${JSON.stringify(input).slice(0, 80)} -> ${code}`,
          );
        await refused('ingest', {}, 'BAD_INPUT', /expected path/);
        await refused('ingest', { path: 'a.md' }, 'BAD_INPUT', /absolute/);
        await refused('ingest', { path: join(folder, 'none.md') }, 'NOT_FOUND');
        await refused('ingest', { path: folder, text: 'x' }, 'BAD_INPUT', /not both/);
        await refused('ingest', { name: 'a', text: 'x', type: 'mdd' }, 'BAD_INPUT', /did you mean "md"/);
        await refused('ingest', { name: '/etc/a', text: 'x' }, 'BAD_INPUT', /name/);
        await refused('ingest', { name: 'a', text: 'x'.repeat(900_001) }, 'TOO_LARGE');
        await refused('ingest', { name: 'a', text: 'x\0y' }, 'UNSUPPORTED_TYPE', /NUL/);
        await refused('ingest', { name: 'a.pdf', text: 'x' }, 'DOCUMENT_UNREADABLE', /given as a file/);
        writeFileSync(join(folder, 'large.txt'), 'x'.repeat(5000));
        await refused('ingest', { path: join(folder, 'large.txt') }, 'TOO_LARGE');
        await refused('watch', { folder: join(folder, 'none') }, 'NOT_FOUND');
        await refused('watch', { folder: join(folder, 'large.txt') }, 'BAD_INPUT', /no folder/);
        await refused('watch', { folder: '.' }, 'BAD_INPUT', /absolute/);
        for (let i = 0; i < 4; i++) writeFileSync(join(folder, `${i}.md`), `${i}`);
        await refused('watch', { folder }, 'TOO_LARGE', /more than 3/);
        await refused('unwatch', { folder }, 'NOT_FOUND', /not watched/);
        await refused('document', { id: 'x' }, 'BAD_INPUT');
        await refused('document', { id: '0'.repeat(24) }, 'NOT_FOUND');
        await refused('search', { query: '' }, 'BAD_INPUT');
        await refused('search', { query: 'x', limt: 3 }, 'BAD_INPUT', /did you mean "limit"/);
        await refused('summarise', {}, 'BAD_INPUT');
        await refused('summarise', { id: '0'.repeat(24) }, 'NOT_FOUND');
        await refused('stats', { all: true }, 'BAD_INPUT');
      },
      { maxFileBytes: 4096, maxFiles: 3 },
    ));

  test('it logs what it does', () =>
    withRig(async ({ rig, ingest, search }) => {
      await ingest('guide.md', GUIDE);
      await search('fan');
      const own = rig.logs.filter(({ kernel, level }) => kernel === 'librarian' && level === 'debug');
      for (const verb of ['ingest', 'search'])
        assert.ok(
          own.some(({ message }) => message === verb),
          verb,
        );
    }));
});

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
