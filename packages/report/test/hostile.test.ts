import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { buildReport, renderJson, renderMarkdown } from '../src/index.ts';
import type { FixtureOptions } from './fixture-options.ts';
import { assertWellFormed, tables } from './read-markdown.ts';
import { KERNELS, runFixture } from './run-fixture.ts';

const HOSTILE = [
  'a | b | c',
  'line\nbreak\r\n| --- |\n# heading\n```js\ncode',
  '`tick` ``two`` <script>alert(1)</script> &lt; &amp; [x](javascript:y) ![i](z)',
  '\\| \\ trailing \\',
  '\u001b[31mred\u0000\u0007\ud800 lone \u202e reversed \u2028 \ufffe',
  'ü ñ 中文 🚀 → … ｜ ｀ ＜b＞ \u0301',
];

function both(options: FixtureOptions) {
  const { records, result } = runFixture(options);
  const model = buildReport({ records, result });
  return { model, plain: renderMarkdown(model, { ascii: false }), ascii: renderMarkdown(model, { ascii: true }) };
}

function assertTables(markdown: string): void {
  const found = tables(markdown);
  assert.ok(found.length > 0);
  for (const rows of found) {
    for (const row of rows) assert.equal(row.length, rows[0]!.length, row.join('|'));
    assert.match(rows[1]!.join('|'), /^-{3}(\|-{3})*$/);
  }
}

const ENDS: FixtureOptions[] = [
  {},
  { crash: 'lost' },
  { crash: 'broken', spamActs: false },
  { skipSecondWave: true },
  { failed: 'librarian' },
  { reacts: true, enforcement: { cpu: 'none', memory: 'watched | not `limited`' } },
];

describe('names and messages written by an enemy', () => {
  for (const hostile of HOSTILE) {
    test(`leave tables, headings and charts whole: ${JSON.stringify(hostile).slice(0, 40)}`, () => {
      for (const end of ENDS) {
        const kernels = [...KERNELS, [`evil ${hostile}`, hostile] as const];
        const { plain, ascii } = both({ ...end, hostile, kernels });
        for (const { markdown, charts } of [plain, ascii]) {
          assertTables(markdown);
          assert.doesNotMatch(markdown, /^# heading/m);
          assert.doesNotMatch(markdown, /(?<!\\)<script/);
          assert.doesNotMatch(markdown, /\p{Cs}|[\u0000-\u0008\u000b-\u001f\u202e\u2028]/u);
          for (const { svg } of charts) assertWellFormed(svg);
        }
        for (const text of [ascii.markdown, ...ascii.charts.map((chart) => chart.svg)]) {
          assert.match(text, /^[\x00-\x7f]*$/);
        }
        assert.equal(plain.markdown.match(/^#{1,2} /gm)?.length, ascii.markdown.match(/^#{1,2} /gm)?.length);
      }
    });
  }

  test('are still there to be read', () => {
    const { plain, ascii } = both({ hostile: 'ü → 中' });
    assert.ok(plain.markdown.includes('Heartbeat pause ü → 中'));
    assert.ok(ascii.markdown.includes('Heartbeat pause u -> \\[U+4E2D\\]'));
  });

  test('of any kind leave tables and charts whole', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 60 }), fc.boolean(), (hostile, ascii) => {
        const { records, result } = runFixture({ crash: 'broken', hostile, kernels: [...KERNELS, [hostile, hostile]] });
        const { markdown, charts } = renderMarkdown(buildReport({ records, result }), { ascii });
        assertTables(markdown);
        for (const { svg } of charts) assertWellFormed(svg);
      }),
      { numRuns: 60 },
    );
  });
});

test('any part of a journal, in any order, gives a report', () => {
  const whole = ENDS.map((end) => runFixture(end));
  fc.assert(
    fc.property(
      fc.nat(whole.length - 1),
      fc.nat(whole.length - 1),
      fc.infiniteStream(fc.boolean()),
      fc.boolean(),
      (from, verdicts, keep, ascii) => {
        const records = whole[from]!.records.filter(() => keep.next().value);
        const model = buildReport({ records: records.reverse(), result: whole[verdicts]!.result });
        const { markdown, charts } = renderMarkdown(model, { ascii });
        assertTables(markdown);
        for (const { svg } of charts) assertWellFormed(svg);
        JSON.parse(renderJson(model));
      },
    ),
    { numRuns: 120 },
  );
});

test('an empty journal is reported as one that says nothing', () => {
  const { result } = runFixture();
  const none = { ...result, waves: [], totals: { ...result.totals, held: 0, successRate: null } };
  const model = buildReport({ records: [], result: none });
  const { markdown } = renderMarkdown(model, { ascii: false });
  assert.match(markdown, /^# Stress test report - not recorded - \S+ INCONCLUSIVE\n/);
  assert.match(markdown, /The boot is not in the journal\./);
});

test('secrets in details, messages and results are in no form of the report', () => {
  const canary = 'Canary7f3aQ9xZ2mLp0vTn';
  const hostile = `token=${canary} Bearer ${canary} https://me:${canary}@host/ {"password":"${canary}"} sk-live-${canary} eyJhbGciOiJI.${canary}.${canary}`;
  const fixture = runFixture({ crash: 'lost', hostile });
  for (const record of fixture.records) {
    if (record.name === 'kernel:ready')
      Object.assign(record.data.probe, { apiKey: canary, nested: { access_token: canary } });
    if (record.name === 'fault:effect') Object.assign(record.data.observed, { secret: canary });
  }
  fixture.result.waves[0]!.trials[0]!.effect.observed = { password: canary };
  const model = buildReport(fixture);
  const { markdown, charts } = renderMarkdown(model, { ascii: false });
  for (const text of [markdown, renderJson(model), ...charts.map((chart) => chart.svg)])
    assert.ok(!text.includes(canary));
  assert.ok(markdown.includes('redacted'));
});
