import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { createSourceMaps } from './source-maps.ts';

const root = join(import.meta.dirname, '../../../..');
const esbuild = await import(pathToFileURL(join(root, 'node_modules/esbuild/lib/main.js')).href);

const SOURCE = `// a comment that is not in the bundle
interface Order { id: string }

export function first(order: Order): never {
  throw new Error(order.id); // here
}
`;

/** A module as a user's bundler makes it. */
function bundle(t: TestContext, sourcemap: boolean | 'inline'): { dir: string; file: string; source: string } {
  const dir = mkdtempSync(join(tmpdir(), 'grace maps-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const source = join(dir, 'kernel.ts');
  const file = join(dir, 'out.mjs');
  writeFileSync(source, SOURCE);
  esbuild.buildSync({
    entryPoints: [source],
    outfile: file,
    bundle: true,
    minify: true,
    format: 'esm',
    sourcemap,
    sourcesContent: false,
  });
  return { dir, file, source };
}

async function thrownBy(file: string): Promise<string> {
  const { first } = (await import(pathToFileURL(file).href)) as { first(order: { id: string }): never };
  try {
    return first({ id: 'on purpose' });
  } catch (error) {
    return (error as Error).stack!;
  }
}

describe('a place in a bundle', () => {
  for (const sourcemap of [true, 'inline'] as const) {
    test(`is told as its author wrote it, with a map ${sourcemap === true ? 'beside' : 'inside'} the bundle`, async (t) => {
      const { file, source } = bundle(t, sourcemap);
      const stack = await thrownBy(file);
      assert.ok(!stack.includes(source));
      const located = await createSourceMaps().locateStack(stack);
      const line = SOURCE.split('\n').findIndex((text) => text.includes('// here')) + 1;
      assert.ok(located.includes(`${source}:${line}:`), located);
      assert.ok(located.startsWith('Error: on purpose\n'));
    });
  }

  test('stays what it is without a map, with a broken one, and outside of files', async (t) => {
    const { dir, file } = bundle(t, false);
    const sources = createSourceMaps();
    assert.deepEqual(await sources.locate(pathToFileURL(file).href, 1, 5), { file, line: 1, column: 5 });
    assert.deepEqual(await sources.locate('node:internal/timers', 3, 4), {
      file: 'node:internal/timers',
      line: 3,
      column: 4,
    });
    assert.deepEqual(await sources.locate('', 3, 4), { file: '', line: 3, column: 4 });
    const broken = join(dir, 'broken.mjs');
    for (const name of [
      'missing.map',
      'broken.mjs',
      '%',
      'data:application/json;base64,AAAA',
      'data:application/json,{}',
    ]) {
      writeFileSync(broken, `export {};\n//# sourceMappingURL=${name}\n`);
      assert.deepEqual(await createSourceMaps().locate(broken, 1, 1), { file: broken, line: 1, column: 1 }, name);
    }
    const gone = join(dir, 'gone.mjs');
    assert.deepEqual(await sources.locate(gone, 1, 1), { file: gone, line: 1, column: 1 });
    const text = 'Error: a message of one line';
    assert.equal(await sources.locateStack(text), text);
  });

  test('is not looked for in a map that is too large to read at once', async (t) => {
    const { file } = bundle(t, true);
    const map = JSON.parse(readFileSync(`${file}.map`, 'utf8')) as { sourcesContent?: string[] };
    map.sourcesContent = ['x'.repeat(9e6)];
    writeFileSync(`${file}.map`, JSON.stringify(map));
    assert.equal((await createSourceMaps().locate(file, 1, 30)).file, file);
  });
});
