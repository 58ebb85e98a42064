import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { DOCUMENT_TYPES } from '../intake/document-type.ts';
import { type Chunk, chunksOf, MAX_CHUNK, OVERLAP } from './chunk.ts';
import { split } from './split.ts';

/** Text with structure by chance: headings, fences, brackets, quotes, tags, long runs, characters of two units. */
const piece = fc.oneof(
  fc.constantFrom(
    '# ',
    '## ',
    '```\n',
    '\n\n',
    '\n',
    '{',
    '}',
    '[',
    '"',
    ',',
    ';',
    '<p>',
    '</h1>',
    '<h2>',
    '<!--',
    '---\n',
    '> ',
  ),
  fc.constantFrom('😀'.repeat(900), 'x'.repeat(4000), 'a sentence of words. '.repeat(150), 'line\n'.repeat(500)),
  fc.string({ unit: 'binary', maxLength: 40 }),
);
const anyText = fc.array(piece, { maxLength: 25 }).map((pieces) => pieces.join(''));

const bare = (text: string): string => text.replace(/\s+/gu, '');
const joined = (chunks: readonly Chunk[]): string => chunks.map(({ text, overlap }) => text.slice(overlap)).join('');
const names = (chunks: readonly Chunk[]): string[] => [...new Set(chunks.map(({ section }) => section))];

describe('chunks', () => {
  for (const type of DOCUMENT_TYPES) {
    test(`of any text as ${type} stay under the bound, are named, and hold something`, async () => {
      await fc.assert(
        fc.asyncProperty(anyText, async (text) => {
          const { chunks } = await split(type, text);
          for (const { section, text: part, overlap } of chunks) {
            assert.ok(part.length <= MAX_CHUNK, `${part.length}`);
            assert.ok(overlap >= 0 && overlap <= OVERLAP && overlap < part.length, `${overlap} of ${part.length}`);
            assert.notEqual(part.trim(), '');
            assert.ok(section.length > 0 && section.length <= 200);
          }
        }),
        { numRuns: 60 },
      );
    });
  }

  for (const type of ['md', 'txt', 'code'] as const) {
    test(`of ${type} make up the whole text, nothing twice but the overlap`, async () => {
      await fc.assert(
        fc.asyncProperty(anyText, async (text) => {
          const { chunks } = await split(type, text);
          assert.equal(bare(joined(chunks)), bare(text));
        }),
        { numRuns: 60 },
      );
    });
  }

  test('never tear a character of two units apart', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 700, max: 3000 }), (shift, count) => {
        const text = 'x'.repeat(shift) + '😀'.repeat(count);
        for (const { text: part } of chunksOf([{ name: 'n', text }])) assert.ok(part.isWellFormed());
      }),
    );
  });

  test('of a long section end at a paragraph where one is near, and begin with words of the one before', () => {
    const paragraph = `${'A sentence of several words. '.repeat(15).trim()}\n\n`;
    const chunks = chunksOf([{ name: 'n', text: paragraph.repeat(6) }]);
    assert.ok(chunks.length > 1);
    for (const { text } of chunks.slice(0, -1)) assert.ok(text.endsWith('\n\n'));
    for (const { overlap } of chunks.slice(1)) assert.ok(overlap > 0);
  });
});

describe('markdown', () => {
  test('is split at its headings, each under the trail of those above', async () => {
    const text = '# Guide\n\nIntro.\n\n## Set up\n\nSteps.\n\n### Linux\n\nPackages.\n\n## Use\n\nCommands.\n';
    const { chunks, title } = await split('md', text);
    assert.equal(title, 'Guide');
    assert.deepEqual(names(chunks), ['Guide', 'Guide / Set up', 'Guide / Set up / Linux', 'Guide / Use']);
  });
  test('a heading without text joins the one under it, a # in a code fence is none, setext headings count', async () => {
    const text = 'Top\n===\n\n## Limits\n\n```sh\n# not a heading\n```\n\nEnd `x` **y**\n---\n\nLast.\n';
    const { chunks } = await split('md', text);
    assert.deepEqual(names(chunks), ['Top / Limits', 'Top / End x y']);
    assert.match(chunks[0]!.text, /^Top\n===/);
  });
  test('what stands before the first heading is the opening', async () => {
    const { chunks } = await split('md', 'Hello.\n\n# One\n\nText.\n');
    assert.deepEqual(names(chunks), ['opening', 'One']);
  });
  test('hostile nesting and brackets neither hang nor throw', async () => {
    for (const hostile of [
      '>'.repeat(8000),
      '['.repeat(8000),
      '*a_ '.repeat(4000),
      '![](x'.repeat(3000),
      '- '.repeat(3000),
      '`'.repeat(9000),
    ]) {
      const { chunks } = await split('md', hostile);
      assert.equal(bare(joined(chunks)), bare(hostile));
    }
  });
});

describe('html', () => {
  test('is what a reader sees, by headings, without scripts and styles', async () => {
    const { chunks, title } = await split(
      'html',
      '<html><head><title>The  Manual</title><style>p{}</style></head><body><p>Hi &amp; welcome<script>evil()</script><h1>One</h1><p>First <b>bo</b>ld<ul><li>a<li>b</ul><h2>Two</h2>Second<svg><text>drawn</text></svg></body>',
    );
    assert.equal(title, 'The Manual');
    assert.deepEqual(
      chunks.map(({ section, text }) => [section, text]),
      [
        ['opening', 'Hi & welcome'],
        ['One', 'One\nFirst bold\na\nb'],
        ['One / Two', 'Two\nSecond'],
      ],
    );
  });
  test('every word of the text between tags is kept', async () => {
    const word = fc.stringMatching(/^[a-z]{1,8}$/);
    const tag = fc.constantFrom('p', 'div', 'b', 'h1', 'h3', 'li', 'td', 'pre');
    const node = fc.tuple(tag, fc.array(word, { maxLength: 5 }), fc.boolean());
    await fc.assert(
      fc.asyncProperty(fc.array(node, { maxLength: 20 }), async (nodes) => {
        const text = nodes
          .map(([name, words, closed]) => `<${name}>${words.join(' ')}${closed ? `</${name}>` : ''} `)
          .join('');
        const { chunks } = await split('html', text);
        assert.equal(bare(joined(chunks)), nodes.flatMap(([, words]) => words).join(''));
      }),
    );
  });
});

describe('json', () => {
  test('values are lines under their paths, sections the keys at the top', async () => {
    const { chunks } = await split(
      'json',
      '{"name":"grace","port":1,"limits":{"cpu":0.2,"heap":[1,2]},"cells":[{"id":"core"}]}',
    );
    assert.deepEqual(
      chunks.map(({ section, text }) => [section, text]),
      [
        ['$', 'name: grace\nport: 1'],
        ['$.limits', 'limits.cpu: 0.2\nlimits.heap.0: 1\nlimits.heap.1: 2'],
        ['$.cells[0].id', 'cells.0.id: core'],
      ],
    );
  });
  test('every key and value of any document is kept', async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue({ maxDepth: 4 }), async (value) => {
        const { chunks, note } = await split('json', JSON.stringify(value));
        assert.equal(note, undefined);
        const text = bare(joined(chunks));
        const check = (inner: unknown): void => {
          if (inner !== null && typeof inner === 'object') for (const [, below] of Object.entries(inner)) check(below);
          else assert.ok(text.includes(bare(typeof inner === 'string' ? inner : JSON.stringify(inner))));
        };
        check(value);
      }),
    );
  });
  test('one value a line is read', async () => {
    const { chunks, note } = await split('json', '{"a":1}\n{"a":2}\n');
    assert.equal(note, undefined);
    assert.equal(chunks.map(({ text }) => text).join('\n'), '0.a: 1\n1.a: 2');
  });
  test('broken and bottomless documents are split as plain text, with a note', async () => {
    for (const broken of ['{"a": 1,', '[1,2', '{"a":1}\n{"b":', '['.repeat(100_000)]) {
      const { chunks, note } = await split('json', broken);
      assert.match(note!, /^not valid json, split as plain text: /);
      assert.equal(bare(joined(chunks)), bare(broken));
    }
  });
  test('a deep document is read', async () => {
    const { chunks } = await split('json', `${'{"a":'.repeat(2000)}"bottom"${'}'.repeat(2000)}`);
    assert.match(chunks.map(({ text }) => text).join(''), /bottom/);
  });
});

describe('csv', () => {
  test('rows carry the names of their columns and are counted as in the file', async () => {
    const { chunks } = await split('csv', 'id;name;note\n1;core;"first; cell"\n2;edge;last\n');
    assert.deepEqual(
      chunks.map(({ section, text }) => [section, text]),
      [['rows 2-3', 'id: 1, name: core, note: first; cell\nid: 2, name: edge, note: last']],
    );
  });
  test('many rows become groups of rows that follow each other', async () => {
    const rows = Array.from({ length: 500 }, (_, i) => `${i + 1},value number ${i + 1}`);
    const { chunks } = await split('csv', rows.join('\n'));
    const spans = chunks.map(({ section }) => /^rows (\d+)-(\d+)$/.exec(section)!.slice(1).map(Number));
    assert.equal(spans[0]![0], 1);
    assert.equal(spans.at(-1)![1], 500);
    spans.slice(1).forEach(([first], i) => {
      assert.equal(first, spans[i]![1]! + 1);
    });
  });
  test('uneven rows and stray quotes are read, an open quote falls back to plain text', async () => {
    const uneven = await split('csv', 'a,b\n1\n1,2,3\nx"y,z\n');
    assert.equal(uneven.note, undefined);
    assert.match(joined(uneven.chunks), /x"y/);
    const open = await split('csv', 'a,b\n"never closed,1\n2,3\n');
    assert.match(open.note!, /^not valid csv/);
  });
});

describe('code', () => {
  test('is split between top-level blocks, named by the first declaration', async () => {
    const body = Array.from({ length: 40 }, (_, i) => `  const value${i} = compute(${i});\n`).join('\n');
    const { chunks } = await split('code', `export function alpha() {\n${body}}\n\nexport class Beta {\n${body}}\n`);
    const sections = names(chunks);
    assert.equal(sections.length, 2);
    assert.match(sections[0]!, /^alpha, lines 1-\d+$/);
    assert.match(sections[1]!, /^Beta, lines \d+-\d+$/);
  });
});
