import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ARMS, documents, type JudgedQuery, mean, openJudged, queries } from './measure.ts';

const PAGE = new URL('../../../../../docs/kernels/memory_fusion.md', import.meta.url);
const SLICES: readonly [name: string, take: (query: JudgedQuery) => boolean][] = [
  ['tuning half', ({ half }) => half === 'tuning'],
  ['held-out half', ({ half }) => half === 'held_out'],
  ...(['keyword', 'paraphrase', 'misspelt', 'inflected'] as const).map(
    (kind): [string, (query: JudgedQuery) => boolean] => [
      `held out, ${kind}`,
      (query) => query.kind === kind && query.half === 'held_out',
    ],
  ),
];

describe('retrieval on the judged set', () => {
  const folder = mkdtempSync(join(tmpdir(), 'grace-judged-'));
  let judged: ReturnType<typeof openJudged>;
  before(() => {
    judged = openJudged(folder);
  });
  after(() => {
    judged.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const scores = async (take: (query: JudgedQuery) => boolean): Promise<Record<keyof typeof ARMS, number>> => {
    const of = async (arm: keyof typeof ARMS): Promise<number> =>
      mean(await Promise.all(queries.filter(take).map((query) => judged.score(query, ARMS[arm]))));
    return { fused: await of('fused'), text: await of('text'), vectors: await of('vectors') };
  };

  test('the set is large enough to say something, its halves are alike, and every judgement names a document', () => {
    assert.ok(Object.keys(documents).length >= 120);
    assert.ok(queries.length >= 50);
    for (const { query, judged: grades } of queries) {
      assert.ok(Object.values(grades).includes(2), query);
      for (const id of Object.keys(grades)) assert.ok(Object.hasOwn(documents, id), `${query}: ${id}`);
    }
    for (const kind of ['keyword', 'paraphrase', 'misspelt', 'inflected']) {
      const of = (half: string): number => queries.filter((query) => query.kind === kind && query.half === half).length;
      assert.ok(Math.abs(of('tuning') - of('held_out')) <= 1 && of('held_out') >= 5, kind);
    }
  });

  test('on the half that nothing was chosen on, both rankings together are better than either alone', async () => {
    const { fused, text, vectors } = await scores(({ half }) => half === 'held_out');
    assert.ok(fused > text && fused > vectors, JSON.stringify({ fused, text, vectors }));
  });

  test('the page of memory_fusion shows these figures; with GRACE_WRITE_DOCS=1 they are written into it', async () => {
    const rows: string[] = [];
    for (const [name, take] of SLICES) {
      const { fused, text, vectors } = await scores(take);
      rows.push(
        `| ${name} (${queries.filter(take).length}) | ${[fused, text, vectors].map((n) => n.toFixed(3)).join(' | ')} |`,
      );
    }
    const table = [
      '| nDCG@10 (queries) | fused | full text alone | vectors alone |',
      '|---|---|---|---|',
      ...rows,
      '',
    ].join('\n');
    const page = readFileSync(PAGE, 'utf8');
    const part = /(?<=<!-- quality -->\n)[\s\S]*(?=<!-- \/quality -->)/;
    if (process.env['GRACE_WRITE_DOCS'] === '1')
      writeFileSync(
        PAGE,
        page.replace(part, () => table),
      );
    else assert.equal(part.exec(page)?.[0], table);
  });
});
