import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { applyEdits, withoutOverlaps } from '../change/edit.ts';
import { findingsOf, kinship, type Remark } from '../scan/finding.ts';
import { json } from './json.ts';
import type { Language } from './language.ts';
import { python } from './python.ts';
import { yaml } from './yaml.ts';

const OPTIONS = { ruff: ['E4', 'E7', 'E9', 'F'] };
const marks = async (language: Language, text: string, file: string) =>
  await language.examine(text, file, OPTIONS, true);
const rules = async (language: Language, text: string, file: string) =>
  (await marks(language, text, file)).map(({ remark }) => `${remark.rule} ${remark.line}:${remark.column}`);
/** The text with the first fix of each remark. */
const mended = async (language: Language, text: string, file: string) =>
  applyEdits(
    text,
    withoutOverlaps(
      (await marks(language, text, file)).flatMap(({ fixes }) => fixes.slice(0, 1).map(({ edits }) => edits)),
    ),
  );

describe('JSON', () => {
  test('has no remarks where the engine parses it, and at least one where it does not', async () => {
    const spoil = fc
      .tuple(fc.json({ maxDepth: 3 }), fc.nat(), fc.constantFrom('', ',', '}', ']', '"', ':', 'x', '1 '))
      .map(([text, n, piece]) => {
        const at = n % (text.length + 1);
        return text.slice(0, at) + piece + text.slice(at + (piece === '' ? 1 : 0));
      });
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.json({ maxDepth: 3 }), spoil, fc.string({ maxLength: 40 })), async (text) => {
        let parses = true;
        try {
          JSON.parse(text);
        } catch {
          parses = false;
        }
        assert.equal((await marks(json, text, 'a.json')).length === 0, parses, text);
      }),
      { numRuns: 400 },
    );
  });

  test('with commas too many or missing is mended to the same data', async () => {
    const value = fc.jsonValue({ maxDepth: 3 });
    await fc.assert(
      fc.asyncProperty(value, fc.infiniteStream(fc.boolean()), async (data, dice) => {
        const text = JSON.stringify(data, null, 1)!;
        // A comma in front of a closing bracket, or the one at the end of a line taken away: never inside a string, since lines end outside.
        const broken = text
          .split('\n')
          .map((line, i, all) => {
            const next = all[i + 1]?.trim() ?? '';
            if (/^[\]}]/.test(next) && !/[[{]$/.test(line) && dice.next().value) return `${line},`;
            return line.endsWith(',') && /^"/.test(next) && dice.next().value ? line.slice(0, -1) : line;
          })
          .join('\n');
        assert.deepEqual(JSON.parse(await mended(json, broken, 'a.json')), JSON.parse(text), broken);
      }),
      { numRuns: 200 },
    );
  });

  test('says where and what; configuration files may have comments and trailing commas', async () => {
    assert.deepEqual(await rules(json, '{"a": [1, 2,],\n "b": 3 "c": 4}', 'a.json'), [
      'json-trailing-comma 1:12',
      'json-missing-comma 2:8',
    ]);
    assert.deepEqual(await rules(json, '{"a": }', 'a.json'), ['json-syntax 1:7']);
    assert.deepEqual(await rules(json, '\ufeff{}', 'a.json'), ['json-byte-order-mark 1:1']);
    assert.deepEqual(await rules(json, '{} // x', 'a.json'), ['json-comment 1:4']);
    for (const file of ['tsconfig.json', 'in/tsconfig.base.json', 'a.jsonc'])
      assert.deepEqual(await rules(json, '{"a": [1,], /* x */}', file), [], file);
    assert.deepEqual(await rules(json, '['.repeat(50_000), 'a.json'), ['json-syntax 1:50001']);
  });
});

describe('YAML', () => {
  test('with tabs that indent is mended where all of it then parses, and left where it mixes both', async () => {
    assert.deepEqual(await rules(yaml, 'a: 1\na: 2\n', 'a.yaml'), ['yaml-duplicate-key 2:1']);
    assert.equal(await mended(yaml, 'a:\n\tb: 1\n\tc:\n\t\td: 2\n', 'a.yaml'), 'a:\n  b: 1\n  c:\n    d: 2\n');
    for (const text of ['a:\n\tb: 1\n  c: 2\n', 'a:\n \tb: 1\n', 'a: 1\na: 2\n', 'a: [1\n'])
      assert.equal(await mended(yaml, text, 'a.yaml'), text);
    const bomb = `a: &a [x,x]\n${'bcdefghij'
      .split('')
      .map((name, i, all) => `${name}: &${name} [${`*${all[i - 1] ?? 'a'},`.repeat(9)}]\n`)
      .join('')}`;
    assert.deepEqual(await rules(yaml, bomb, 'a.yaml'), []);
  });
});

describe('Python', () => {
  test('is mended by safe fixes alone, which take no comment and no name that a package offers', async () => {
    assert.equal(
      await mended(python, 'import os\nimport sys\nprint(sys.argv, f"x")\n', 'a.py'),
      'import sys\nprint(sys.argv, "x")\n',
    );
    for (const [text, file] of [
      ['import os\n', '__init__.py'],
      ['import os\n', 'in/__init__.pyi'],
      ['x = 1\nif x == None:\n    x = 2\n', 'a.py'],
      ['def f():\n    unused = 1\n', 'a.py'],
      ['from a import (\n    b,  # kept for its words\n)\n', 'a.py'],
    ] as const) {
      assert.ok((await rules(python, text, file)).length > 0, text);
      assert.equal(await mended(python, text, file), text);
    }
  });

  test('that does not parse is mended by one token, only where one alone does it', async () => {
    for (const [broken, whole] of [
      ['def f(a)\n    return a\n', 'def f(a):\n    return a\n'],
      ['if x == 1  # why\n    y = 2\n', 'if x == 1:  # why\n    y = 2\n'],
      ['print(len("a")\n', 'print(len("a"))\n'],
      ['x = (1, 2))\n', 'x = (1, 2)\n'],
    ]) {
      const marked = (await marks(python, broken!, 'a.py')).find(({ remark }) => remark.rule === 'invalid-syntax')!;
      assert.deepEqual(
        marked.fixes.map(({ edits }) => applyEdits(broken!, edits)),
        [whole],
      );
    }
    for (const hopeless of ['def f(a\n    return a\n', '???\n', 'class :\n', 'x = [1, 2\ny = (3\n'])
      assert.equal(await mended(python, hopeless, 'a.py'), hopeless);
  });

  test('of any kind is judged without breaking', async () => {
    const piece = fc.constantFrom(
      'def f',
      '(',
      ')',
      ':',
      '\n',
      '    ',
      'import os',
      '"""',
      "f'{",
      'ü',
      '\0',
      '# x',
      '\\',
      'x = ',
      'lambda',
      '\r\n',
      '𝒳',
    );
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 25 }), async (pieces) => {
        for (const { remark, fixes } of await marks(python, pieces.join(''), 'a.py')) {
          assert.ok(remark.line >= 1 && remark.column >= 1);
          for (const { edits } of fixes) applyEdits(pieces.join(''), edits);
        }
      }),
      { numRuns: 60 },
    );
  });
});

describe('a signature', () => {
  const remark = (line: number, message = "'x' has 3 of /srv/app/a.ts"): Remark => ({
    rule: 'r1',
    message,
    severity: 'error',
    line,
    column: 1,
  });
  const source = 'one\ntwo\nbroken here\nfour\nfive\n';
  const signature = (text: string, line: number, message?: string, file = 'a.ts') =>
    findingsOf(file, 'typescript', text, [remark(line, message)])[0]!.signature;

  test('is the same wherever the lines have gone, however they are indented, whatever was counted', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('x', '', 'y z'), { maxLength: 10 }), fc.nat(99), (above, count) => {
        const moved = [...above, ...source.split('\n').map((line) => `\t${line}  `)].join('\n');
        assert.equal(
          signature(moved, above.length + 3, `'x' has ${count} of /home/me/other/a.ts`),
          signature(source, 3),
        );
      }),
    );
  });

  test('differs with the rule, the words, the file and the lines around', () => {
    const all = [
      signature(source, 3),
      signature(source, 2),
      signature(source, 3, "'y' has 3 of /srv/app/a.ts"),
      signature(source, 3, undefined, 'b.ts'),
      signature(source.replace('four', 'for'), 3),
    ];
    assert.equal(new Set(all).size, all.length);
  });

  test('aside, kin are findings whose type alone is spelled differently', () => {
    const of = (message: string) => kinship({ file: 'a.ts', rule: 'ts2353', message });
    assert.equal(
      of("'x' does not exist in type '{ a: string; }'."),
      of("'x' does not exist in type '{ a: string; b?: number; }'."),
    );
    assert.notEqual(
      of("'x' does not exist in type '{ a: string; }'."),
      of("'y' does not exist in type '{ a: string; }'."),
    );
  });
});
