import assert from 'node:assert/strict';
import { symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { Candidate, Proof, RepairTask } from '../change/candidate.ts';
import { contentOf, put, treeOf } from '../fixtures/tree.ts';
import type { Finding } from '../scan/finding.ts';
import { checkTree } from './check.ts';
import { proposeInTree, proveInTree } from './repair.ts';

const CONFIG =
  '{ "compilerOptions": { "strict": true, "lib": ["es2022"], "types": [], "target": "es2022", "module": "preserve", "noUnusedLocals": true, "allowImportingTsExtensions": true, "noEmit": true }, "include": ["**/*.ts"] }\n';
const LIMITS = { maxFiles: 1000, maxBytes: 1e7, maxFileBytes: 1e6 };
const findings = (root: string, known = {}, bounds = [root]): Finding[] =>
  checkTree({ ...LIMITS, root, bounds, known }).flatMap((one) => (one.same ? [] : one.findings));
const taskFor = (root: string, { signature, file }: Finding): RepairTask => ({
  ...LIMITS,
  root,
  bounds: [root],
  signature,
  file,
  scope: 'finding',
  ruff: [],
});

/** The candidates for the one finding of this rule, each with its proof. */
function tried(
  root: string,
  rule: string,
  scope: RepairTask['scope'] = 'finding',
): { candidate: Candidate; proof: Proof; after: Record<string, string> }[] {
  const found = findings(root).find((one) => one.rule === rule);
  assert.ok(found, `${rule} is there: ${findings(root).map((one) => `${one.rule} ${one.message}`)}`);
  const task = { ...taskFor(root, found), scope };
  const { finding, candidates } = proposeInTree(task);
  return candidates.map((candidate) => ({
    candidate,
    proof: proveInTree({ ...task, finding: finding!, candidate }),
    after: Object.fromEntries(candidate.files.map(({ file, after }) => [file, after])),
  }));
}
const holds = ({ proof }: { proof: Proof }) => proof.isGone && proof.fresh.length === 0;

describe('the language service', () => {
  test('adds an import that one file offers; of two that could be meant it is half as sure', () => {
    const root = treeOf({
      'tsconfig.json': CONFIG,
      'a.ts': 'export const lamp = 1;\n',
      'use.ts': 'export const x = lamp + 1;\n',
    });
    const [first] = tried(root, 'ts2304');
    assert.deepEqual(
      [first!.candidate.strategy, first!.candidate.confidence, holds(first!)],
      ['language-service:import', 0.95, true],
    );
    assert.match(
      first!.after['use.ts']!,
      /^import \{ lamp \} from ["']\.\/a(\.ts)?["'];\n\nexport const x = lamp \+ 1;\n$/,
    );
    put(root, 'b.ts', 'export const lamp = 2;\n');
    assert.deepEqual(
      tried(root, 'ts2304').map(({ candidate }) => candidate.confidence),
      [0.475, 0.475],
    );
  });

  test('is not believed where its fix breaks another file', () => {
    const root = treeOf({
      'tsconfig.json': CONFIG,
      'a.ts': 'export const lamp = 1;\nconst hidden = 2;\n',
      'use.ts': "import { hidden } from './a.ts';\nexport const x = hidden;\n",
    });
    const [removal] = tried(root, 'ts6133');
    assert.equal(removal!.candidate.strategy, 'language-service:unusedIdentifier');
    assert.deepEqual([removal!.proof.isGone, removal!.proof.fresh.length], [true, 1]);
    const [exported] = tried(root, 'ts2459');
    assert.deepEqual(
      [exported!.candidate.strategy, holds(exported!)],
      ['language-service:fixImportNonExportedMember', true],
    );
  });

  test('mends all of a rule in a file at once, where that is asked for', () => {
    const root = treeOf({
      'tsconfig.json': CONFIG,
      'a.ts': 'const one = 1;\nexport const two = 2;\nconst three = 3;\n',
    });
    const [whole] = tried(root, 'ts6133', 'file');
    assert.deepEqual([whole!.after['a.ts'], holds(whole!)], ['export const two = 2;\n', true]);
  });

  test('offers nothing that writes a body which throws', () => {
    const root = treeOf({ 'tsconfig.json': CONFIG, 'a.ts': 'nowhere();\n' });
    assert.deepEqual(tried(root, 'ts2304'), []);
  });
});

describe('codemods', () => {
  const CALLS =
    "import { append } from './record.ts';\nappend({ actor: 'a', subsystem: 'tower' });\nappend({ actor: 'b' });\n";
  for (const [what, before, after] of [
    [
      'one line',
      'export function append(entry: { actor: string }): void {\n  void entry;\n}\n',
      '{ actor: string; subsystem?: string }',
    ],
    [
      'an interface',
      'interface Entry {\n  actor: string,\n}\nexport const append = (entry: Entry): void => void entry;\n',
      'interface Entry {\n  actor: string,\n  subsystem?: string,\n}',
    ],
    [
      'an alias',
      'type Entry = {\r\n  actor: string;\r\n};\r\nexport const append = (entry?: Entry): void => void entry;\r\n',
      '  actor: string;\r\n  subsystem?: string;\r\n}',
    ],
    [
      'a class',
      "export class Log {\n  append(entry: { actor: string }) {\n    return entry;\n  }\n}\nexport const append = (entry: Parameters<Log['append']>[0]) => new Log().append(entry);\n",
      '{ actor: string; subsystem?: string }',
    ],
  ] as const)
    test(`a parameter that callers pass is added, never taken away from the calls: ${what}`, () => {
      const root = treeOf({ 'tsconfig.json': CONFIG, 'record.ts': before, 'use.ts': CALLS });
      const [first] = tried(root, 'ts2353');
      assert.equal(first!.candidate.strategy, 'codemod:add-parameter');
      assert.deepEqual([Object.keys(first!.after), holds(first!)], [['record.ts'], true]);
      assert.ok(first!.after['record.ts']!.includes(after), first!.after['record.ts'] ?? '');
    });

  test('a parameter is not added to a type that is none of the tree', () => {
    const root = treeOf({
      'tsconfig.json': CONFIG,
      'node_modules/record/index.d.ts': 'export declare function append(entry: { actor: string }): void;\n',
      'node_modules/record/package.json': '{"name": "record", "types": "index.d.ts"}',
      'use.ts': CALLS.replace('./record.ts', 'record'),
    });
    assert.deepEqual(tried(root, 'ts2353'), []);
  });

  test('an export that a module of the tree lacks is added where exactly one file declares the name', () => {
    const root = treeOf({
      'tsconfig.json': CONFIG,
      'lib/index.ts': "export { lamp } from './lamp.ts';\nexport const here = 1;\n",
      'lib/lamp.ts': 'export const lamp = 1;\nexport interface Tower {\n  height: number;\n}\n',
      'lib/deep/bell.ts': 'export function bell(): void {}\n',
      'use.ts':
        "import { bell, type Tower } from './lib/index.ts';\nbell();\nexport const tower: Tower = { height: 2 };\n",
    });
    const all = findings(root).filter(({ rule }) => rule === 'ts2305');
    assert.equal(all.length, 2);
    const texts = all.map((found) => {
      const task = taskFor(root, found);
      const { finding, candidates } = proposeInTree(task);
      assert.equal(candidates[0]!.strategy, 'codemod:add-export');
      assert.deepEqual(holds({ proof: proveInTree({ ...task, finding: finding!, candidate: candidates[0]! }) }), true);
      return candidates[0]!.files[0]!.after.split('\n')[1];
    });
    assert.deepEqual(texts, ["export { bell } from './deep/bell.ts';", "export type { Tower } from './lamp.ts';"]);
    put(root, 'lib/other.ts', 'export const bell = 1;\n');
    assert.deepEqual(
      tried(root, 'ts2305').filter(
        ({ candidate }) => candidate.strategy === 'codemod:add-export' && candidate.reason.includes('bell'),
      ),
      [],
    );
  });
});

describe('a project', () => {
  test('is judged again when a file, an option or the lock file changes, and only then', () => {
    const root = treeOf({
      'tsconfig.json': CONFIG,
      'a.ts': 'export const a: string = 1;\n',
      'in/tsconfig.json': CONFIG,
      'in/b.ts': 'export const b: string = 2;\n',
    });
    const check = (known: Record<string, string>) => checkTree({ ...LIMITS, root, bounds: [root], known });
    const first = check({});
    assert.deepEqual(
      first.map(({ project, files, same }) => [project, files, same]),
      [
        ['in/tsconfig.json', 1, false],
        ['tsconfig.json', 2, false],
      ],
    );
    const known = () => Object.fromEntries(check({}).map(({ project, hash }) => [project, hash]));
    let before = known();
    assert.ok(check(before).every(({ same }) => same));
    for (const [file, text] of [
      ['in/b.ts', 'export const b: string = 3;\n'],
      ['package-lock.json', '{}'],
      ['tsconfig.json', CONFIG.replace('"strict": true', '"strict": false')],
    ] as const) {
      before = known();
      writeFileSync(join(root, file), text);
      assert.ok(
        check(before).some(({ same }) => !same),
        file,
      );
      assert.ok(
        check(known()).every(({ same }) => same),
        file,
      );
    }
  });

  test('without a configuration has its TypeScript checked, and JavaScript for its syntax', () => {
    const root = treeOf({
      'a.ts': 'export const a: string = 1;\n',
      'b.js': 'export const b = nothing;\n',
      'c.js': 'const = 2;\n',
    });
    const found = findings(root).map(({ file, rule }) => `${file} ${rule}`);
    assert.deepEqual([...new Set(found.map((one) => one.split(' ')[0]))].sort(), ['a.ts', 'c.js']);
    assert.ok(found.includes('a.ts ts2322'));
  });

  test('reads nothing outside its bounds: no file that it includes, extends, imports, or reaches by a link', () => {
    const outside = treeOf({
      'secret.ts': 'export const secret: string = 1;\n',
      'base.json': '{"compilerOptions": {"noUnusedLocals": true}}',
    });
    const up = '../'.repeat(10).concat(outside.slice(1));
    const root = treeOf({
      'tsconfig.json': JSON.stringify({
        extends: `${outside}/base.json`,
        compilerOptions: { strict: true, lib: ['es2022'], types: [] },
        include: ['*.ts', `${outside}/*.ts`, `${up}/*.ts`],
      }),
      'a.ts': `import { secret } from '${outside}/secret';\nimport { linked } from './link';\nexport const all = [secret, linked];\n/// <reference path="${outside}/secret.ts" />\n`,
    });
    symlinkSync(join(outside, 'secret.ts'), join(root, 'link.ts'));
    const before = contentOf(outside);
    const found = findings(root);
    assert.ok(
      found.every(({ file }) => ['a.ts', 'tsconfig.json'].includes(file)),
      JSON.stringify(found),
    );
    assert.equal(found.filter(({ rule }) => rule === 'ts2307').length, 2, 'both imports lead nowhere');
    assert.deepEqual(contentOf(outside), before);
  });
});
