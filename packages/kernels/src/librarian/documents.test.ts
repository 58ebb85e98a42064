import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { withBed } from './fixtures/bed.ts';
import { bombPdf, encryptedPdf, pdf } from './fixtures/pdf.ts';
import { createWorkshop } from './workshop.ts';

interface Ingested {
  document: string;
  chunks: number;
  known: boolean;
  note?: string;
}
interface Failure {
  place: string;
  code: string;
  reason: string;
}

const MIB = 1024 ** 2;

describe('a pdf', () => {
  test('is read page by page, is one document under every name, and shows its title', () =>
    withBed(async ({ call, search, write }) => {
      const bytes = pdf(['The harbour master keeps the tide tables.', 'Ferries leave (hourly)\nfrom pier nine.'], {
        title: 'Harbour book',
      });
      const path = write('harbour.pdf', bytes);
      const first = await call<Ingested>('ingest', { path });
      assert.deepEqual([first.chunks, first.known, first.note], [2, false, undefined]);
      const [found] = await search('when do ferries leave from pier nine');
      assert.deepEqual(
        [found?.section, found?.place, found?.text],
        ['page 2', path, 'Ferries leave (hourly)\nfrom pier nine.'],
      );
      // Its bytes tell what it is, not its name.
      const again = await call<Ingested>('ingest', { path: write('copy.txt', bytes) });
      assert.deepEqual([again.document, again.known], [first.document, true]);
      const shown = await call<{ title: string; type: string }>('document', { id: first.document });
      assert.deepEqual([shown.title, shown.type], ['Harbour book', 'pdf']);
      assert.ok(
        (await call<{ sentences: string[] }>('summarise', { id: first.document, sentences: 1 })).sentences.length === 1,
      );
    }));

  test('that is broken, closed or none is refused with its reason and listed, until it can be read', () =>
    withBed(
      async ({ call, write }) => {
        const whole = pdf(['The lamp is lit at dusk.']);
        const refused: [name: string, content: string | Buffer, code: string, reason: RegExp][] = [
          ['cut.pdf', whole.subarray(0, 200), 'DOCUMENT_UNREADABLE', /damaged/],
          ['locked.pdf', encryptedPdf(), 'DOCUMENT_UNREADABLE', /password/],
          ['garbage.pdf', '%PDF-1.7 and nothing more', 'DOCUMENT_UNREADABLE', /damaged/],
          ['none.pdf', 'only words', 'DOCUMENT_UNREADABLE', /does not begin like one/],
          [
            'noise.txt',
            Buffer.from(Array.from({ length: 900 }, (_, i) => 130 + (i % 90))),
            'UNSUPPORTED_TYPE',
            /binary/,
          ],
          ['nul.md', Buffer.from('a\0b'), 'UNSUPPORTED_TYPE', /NUL/],
          ['huge.txt', 'x'.repeat(5000), 'TOO_LARGE', /at most 4096/],
        ];
        for (const [name, content, code, reason] of refused) {
          await assert.rejects(
            call('ingest', { path: write(name, content) }),
            (error: { code?: string; message: string }) => {
              assert.deepEqual([error.code, reason.test(error.message)], [code, true], `${name}: ${error.message}`);
              return true;
            },
          );
        }
        const failures = await call<Failure[]>('failures');
        assert.deepEqual(
          new Map(failures.map(({ place, code }) => [place.split('/').at(-1), code])),
          new Map(refused.map(([name, , code]) => [name, code]).toReversed() as [string, string][]),
        );
        await call('ingest', { path: write('cut.pdf', whole) });
        assert.equal((await call<Failure[]>('failures')).length, refused.length - 1);
        assert.equal((await call<{ failed: number }>('status')).failed, refused.length - 1);
        await assert.rejects(call('failures', { limit: 0 }), { code: 'BAD_INPUT' });
      },
      { maxFileBytes: 4096 },
    ));

  test('that unfolds without end is ended at its bound of memory, and the next document is read', async (t) => {
    const workshop = createWorkshop(1, { deadlineMs: 60_000, memoryBytes: 160 * MIB });
    t.after(() => workshop.close());
    const bomb = bombPdf(400 * MIB);
    assert.ok(bomb.length < MIB);
    await assert.rejects(workshop.prepare({ type: 'pdf', content: { pdf: bomb } }), {
      code: 'DOCUMENT_UNREADABLE',
      message: /unfolds to more than 160 MiB/,
    });
    const { split } = await workshop.prepare({ type: 'pdf', content: { pdf: pdf(['calm water']) } });
    assert.deepEqual(
      split?.chunks.map(({ section, text }) => [section, text]),
      [['page 1', 'calm water']],
    );
  });

  test('that takes longer than its deadline is ended', async (t) => {
    const workshop = createWorkshop(1, { deadlineMs: 1, memoryBytes: 512 * MIB });
    t.after(() => workshop.close());
    await assert.rejects(workshop.prepare({ type: 'pdf', content: { pdf: pdf(['slow']) } }), {
      code: 'DOCUMENT_UNREADABLE',
      message: /longer than 1 ms/,
    });
  });
});

test('broken files of other types are read as far as they go, with a note where their type was not', () =>
  withBed(async ({ call, write, search }) => {
    const files: [
      name: string,
      content: string | Buffer,
      question: string,
      section: string,
      note: RegExp | undefined,
    ][] = [
      [
        'deep.json',
        `${'['.repeat(20_000)}"anchor chain"${']'.repeat(20_000)}`,
        'anchor chain',
        '$[0][0][0]',
        undefined,
      ],
      ['open.csv', 'ship,cargo\n"Nora,timber plank\n', 'timber plank', 'lines 1-2', /not valid csv/],
      [
        'page.html',
        '<h1>Quay</h1><script>steal("cookies")</script><style>b{}</style><p>Cranes lift crates.',
        'cranes lift',
        'Quay',
        undefined,
      ],
      ['wide.txt', Buffer.from('\ufeffGulls circle above', 'utf16le'), 'gulls circle', 'line 1', undefined],
      [
        'wrong.txt',
        Buffer.from(`${'buoys mark the channel '.repeat(9)}\xff\xfe`, 'latin1'),
        'buoys channel',
        'line 1',
        undefined,
      ],
    ];
    for (const [name, content, question, section, note] of files) {
      const done = await call<Ingested>('ingest', { path: write(name, content) });
      assert.ok(note ? note.test(done.note ?? '') : done.note === undefined, `${name}: ${done.note}`);
      assert.ok((await search(question))[0]?.section.startsWith(section), name);
    }
    assert.equal((await search('steal cookies')).filter(({ text }) => /steal/.test(text)).length, 0);
    assert.equal((await call<Ingested>('ingest', { path: write('empty.md', '') })).chunks, 0);
    assert.deepEqual(await call('failures'), []);
  }));
