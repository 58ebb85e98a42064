import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { CONDITIONS, hasThread, KERNEL_STATES, RESTART_CLASSES, TRANSITIONS } from '@grace/contracts';
import { buildReport, renderJson } from '../src/index.ts';
import { tables } from './read-markdown.ts';
import { runFixture } from './run-fixture.ts';

const page = (path: string) => readFileSync(new URL(`../../../${path}`, import.meta.url), 'utf8');
const trimmed = (rows: string[][]) => rows.slice(2).map((row) => row.map((cell) => cell.trim()));
const quoted = (text: string) => [...text.matchAll(/`([a-zA-Z_-]+)`/g)].map((match) => match[1]!);

test('the lifecycle page has every state with its meaning and the states it may become', () => {
  const text = page('docs/architecture/lifecycle.md');
  const source = page('packages/contracts/src/lifecycle.ts');
  const [states, classes] = tables(text).map(trimmed) as [string[][], string[][]];
  assert.deepEqual(
    states.map(([state, , next]) => [quoted(state!)[0], quoted(next!)]),
    KERNEL_STATES.map((state) => [state, [...TRANSITIONS[state]]]),
  );
  for (const [state, meaning] of states) {
    const said = new RegExp(`^ \\* ${quoted(state!)[0]} +(.+)$`, 'm').exec(source)?.[1];
    assert.equal(meaning!.replaceAll('`', ''), said!.replaceAll('`', ''));
  }
  assert.deepEqual(quoted(/A thread of the kernel exists in (.+)\./.exec(text)![1]!), KERNEL_STATES.filter(hasThread));
  assert.deepEqual(
    classes.map(([name]) => quoted(name!)[0]),
    [...RESTART_CLASSES],
  );
  assert.deepEqual(quoted(/What the judgement says of a running kernel: ([^.]+)\./.exec(text)![1]!), [...CONDITIONS]);
});

test('the map has every package with the imports the layer rule allows', () => {
  const rows = trimmed(tables(page('docs/map.md'))[0]!);
  const rules = new Map<string, string[]>();
  const source = /LAYERS = \{([\s\S]+?)\n\};/.exec(page('scripts/layers.mjs'))![1]!;
  for (const [, name, imports] of source.matchAll(/^ {2}'?([\w-]+)'?: \[([^\]]*)\]/gm)) {
    rules.set(
      name!,
      [...imports!.matchAll(/'([^']+)'/g)].map((match) => match[1]!),
    );
  }
  assert.ok(rules.size > 8);
  assert.deepEqual(
    new Map(rows.map(([name, , imports]) => [quoted(name!)[0]!, imports === '-' ? [] : imports!.split(', ')])),
    rules,
  );
});

test('the page on reports names every field of report.json', () => {
  const named = new Set(quoted(page('docs/reports.md')));
  const { records, result } = runFixture();
  const document = JSON.parse(renderJson(buildReport({ records, result })));
  const fields = [
    ...Object.keys(document),
    ...['run', 'overall', 'boot', 'totals', 'exit'].flatMap((part) => Object.keys(document[part])),
    ...Object.keys(document.systems[0]),
    ...Object.keys(document.boot.kernels[0]),
  ];
  assert.deepEqual(
    fields.filter((field) => !named.has(field)),
    [],
  );
});
