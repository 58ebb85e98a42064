import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { poll } from '@grace/testkit';
import { change, GUIDE, type Ingested, remembered, withRig } from './fixtures/librarian-rig.ts';

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
