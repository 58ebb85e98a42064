import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { isCoded } from '../fixtures/agent-rig.ts';
import { put, treeOf } from '../fixtures/tree.ts';
import { readIgnore, verdict } from './ignore.ts';
import { openRoot, readFilePath } from './place.ts';
import { readSource } from './source.ts';
import { KINDS, walk } from './walk.ts';

const LIMITS = { kinds: KINDS, maxFiles: 1000, maxBytes: 1e6, maxFileBytes: 1e4 };
const names = (root: string, more: object = {}) => walk({ root, ...LIMITS, ...more }).files.map(({ file }) => file);

describe('a walk through a tree', () => {
  test('leaves out what ignore files say, each for its folder, and what is never looked into', () => {
    const root = treeOf({
      '.gitignore': '# words\n*.gen.ts\n!keep.gen.ts\n/top.py\nlogs/\nin/*.json\n**/deep/x.yaml\n',
      'in/.ignore': '!b.gen.ts\nown.py\n',
      'a.ts': '',
      'a.gen.ts': '',
      'keep.gen.ts': '',
      'top.py': '',
      'in/top.py': '',
      'logs/a.py': '',
      'in/logs/a.py': '',
      'in/a.json': '',
      'in/more/a.json': '',
      'in/b.gen.ts': '',
      'in/own.py': '',
      'own.py': '',
      'q/deep/x.yaml': '',
      'q/deep/y.yaml': '',
      'node_modules/p/a.ts': '',
      'dist/a.js': '',
      '.hidden/a.ts': '',
      '.a.json': '',
      'README.md': '',
      bin: '',
    });
    assert.deepEqual(names(root), [
      'a.ts',
      'in/b.gen.ts',
      'in/more/a.json',
      'in/top.py',
      'keep.gen.ts',
      'own.py',
      'q/deep/y.yaml',
    ]);
  });

  test('follows no link, neither to a file nor to a folder, neither in nor out', () => {
    const outside = treeOf({ 'secret.py': '' });
    const root = treeOf({ 'a.py': '' });
    symlinkSync(outside, join(root, 'out'));
    symlinkSync(join(outside, 'secret.py'), join(root, 'b.py'));
    symlinkSync('.', join(root, 'self'));
    const { files, skipped } = walk({ root, ...LIMITS });
    assert.deepEqual([files.map(({ file }) => file), skipped.links], [['a.py'], 3]);
  });

  test('stops at its bounds and says so', () => {
    const root = treeOf(Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`f${10 + i}.py`, 'x = 1\n'])));
    put(root, 'large.py', '#'.repeat(20_000));
    const whole = walk({ root, ...LIMITS });
    assert.deepEqual([whole.files.length, whole.skipped.large, whole.truncated], [20, 1, false]);
    assert.deepEqual(pick(walk({ root, ...LIMITS, maxFiles: 5 })), [5, true]);
    assert.deepEqual(pick(walk({ root, ...LIMITS, maxBytes: 30 })), [5, true]);
    const deep = join(root, ...Array.from({ length: 80 }, () => 'd'));
    mkdirSync(deep, { recursive: true });
    put(deep, 'z.py', '');
    assert.equal(walk({ root, ...LIMITS }).truncated, true);
  });
});
const pick = ({ files, truncated }: ReturnType<typeof walk>) => [files.length, truncated];

describe('ignore rules', () => {
  test('say what git says, for patterns and paths of every kind', () => {
    const part = fc.constantFrom('a', 'b', 'ab', '*', '?', '**', 'a*', '*b', '[ab]', '[!a]', 'a.py', '*.py', 'c d');
    const pattern = fc
      .tuple(fc.boolean(), fc.boolean(), fc.array(part, { minLength: 1, maxLength: 3 }), fc.boolean())
      .map(
        ([negated, tied, parts, folder]) =>
          `${negated ? '!' : ''}${tied ? '/' : ''}${parts.join('/')}${folder ? '/' : ''}`,
      );
    const paths = [
      'a',
      'b',
      'ab',
      'a.py',
      'x/a',
      'x/b',
      'x/a.py',
      'a/b',
      'a/x/b',
      'c d',
      'x/c d/a',
      'b/ab/a.py',
      'ab/a/b/a',
    ];
    const root = treeOf();
    execFileSync('git', ['init', '-q', root]);
    const cases = fc.sample(fc.array(pattern, { minLength: 1, maxLength: 4 }), { numRuns: 25, seed: 11 });
    for (const patterns of cases) {
      put(root, '.gitignore', `${patterns.join('\n')}\n`);
      // Its exit status says whether it has ignored something.
      const git = ['-C', root, 'check-ignore', '--no-index', '--stdin', '-v', '-n', '-z'];
      const said = spawnSync('git', git, { input: paths.join('\0') })
        .stdout.toString()
        .split('\0');
      const rules = readIgnore(`${patterns.join('\n')}\n`);
      paths.forEach((path, i) => {
        const [, , rule = ''] = said.slice(i * 4);
        const isOut = rule !== '' && !rule.startsWith('!');
        // As the walk asks: folder by folder from above, and no further below one that is left out.
        const steps = path.split('/').map((_, at, all) => all.slice(0, at + 1).join('/'));
        const out = steps.some((step, at) => verdict(rules, step, at < steps.length - 1) === true);
        assert.equal(out, isOut, `${JSON.stringify(patterns)} on ${path}: git says ${rule || 'nothing'}`);
      });
    }
  });

  test('are read from any text in no time', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom(...'ab/*?[]!^-\\# \n\r\t\0ü'), maxLength: 200 }),
        fc.string({ maxLength: 60 }),
        (file, path) => void verdict(readIgnore(file), path, false),
      ),
    );
    const rules = readIgnore(`${'*a'.repeat(60)}\n${'**/'.repeat(40)}x\n${'*'.repeat(200)}b`);
    const startMono = performance.now();
    verdict(rules, 'a/'.repeat(100), false);
    assert.ok(performance.now() - startMono < 30_000);
  });
});

describe('a root', () => {
  test('is inside the configured ones after every link, or refused', async () => {
    const base = treeOf({ 'in/deep/a.py': '', 'in/file': '', 'inside-not/a.py': '' });
    const allowed = [join(base, 'in')];
    symlinkSync(join(base, 'in'), join(base, 'also-in'));
    symlinkSync(base, join(base, 'in/out'));
    assert.equal(await openRoot(join(base, 'in/deep'), allowed), join(base, 'in/deep'));
    assert.equal(await openRoot(join(base, 'in/../in/deep/'), allowed), join(base, 'in/deep'));
    assert.equal(await openRoot(join(base, 'also-in'), [join(base, 'also-in')]), join(base, 'in'));
    for (const [root, code] of [
      [base, 'FORBIDDEN'],
      [join(base, 'inside-not'), 'FORBIDDEN'],
      [join(base, 'in/../inside-not'), 'FORBIDDEN'],
      [join(base, 'in/out'), 'FORBIDDEN'],
      [join(base, 'in/out/inside-not'), 'FORBIDDEN'],
      ['/', 'FORBIDDEN'],
      ['/nowhere', 'FORBIDDEN'],
      [join(base, 'in/nothing'), 'NOT_FOUND'],
      [join(base, 'in/file'), 'BAD_INPUT'],
      ['in', 'BAD_INPUT'],
      [`${base}/in\0`, 'BAD_INPUT'],
    ] as const)
      await assert.rejects(openRoot(root, allowed), isCoded(code), root);
    await assert.rejects(openRoot(base, []), isCoded('FORBIDDEN', /coding_agent\.config\.roots/));
  });
});

describe('a file', () => {
  test('has a path that stays inside, however it is written', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom('..', '.', 'a', '', 'b c', '...', '~'), { maxLength: 6 }), (parts) => {
        const given = parts.join('/');
        let path: string;
        try {
          path = readFilePath(given);
        } catch (error) {
          assert.ok(['FORBIDDEN', 'BAD_INPUT'].includes((error as { code: string }).code));
          return;
        }
        assert.ok(
          !path.startsWith('/') && !path.split('/').includes('..') && join('/root', path).startsWith('/root/'),
          given,
        );
      }),
    );
  });

  test('is read as it is, or refused: a link, a folder, a pipe, other bytes than UTF-8, too large', () => {
    const outside = treeOf({ 'a.py': 'secret' });
    const root = treeOf({ 'a.py': 'ü = 1\r\n', 'in/a.py': '', 'large.py': 'x'.repeat(200) });
    symlinkSync(join(outside, 'a.py'), join(root, 'link.py'));
    symlinkSync(outside, join(root, 'folder'));
    put(root, 'bytes.py', '');
    execFileSync('sh', ['-c', `printf '\\377\\376' > "${root}/bytes.py"; mkfifo "${root}/pipe.py"`]);
    assert.equal(readSource(root, 'a.py', 100).text, 'ü = 1\r\n');
    for (const [file, code] of [
      ['link.py', 'FORBIDDEN'],
      ['folder/a.py', 'FORBIDDEN'],
      ['in', 'FORBIDDEN'],
      ['pipe.py', 'FORBIDDEN'],
      ['../x', 'FORBIDDEN'],
      ['nothing.py', 'NOT_FOUND'],
      ['bytes.py', 'UNSUPPORTED_TYPE'],
      ['large.py', 'TOO_LARGE'],
    ] as const)
      assert.throws(() => readSource(root, file, 100), isCoded(code), file);
  });
});
