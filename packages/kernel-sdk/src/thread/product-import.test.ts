import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { folder } from '../../test/bed.ts';

const SDK = new URL('../index.ts', import.meta.url).href;
const HOOK = new URL('./product-import.ts', import.meta.url).href;

/** What a module outside the repository prints, imported in a process of its own. */
function run(home: string, module: string, prelude: string): { out: string; error: string } {
  const path = join(home, 'mine.mjs');
  writeFileSync(path, module);
  const { stdout, stderr } = spawnSync(
    process.execPath,
    ['--input-type=module', '-e', `${prelude}\nconsole.log((await import('${pathToFileURL(path).href}')).default)`],
    { cwd: home, encoding: 'utf8', timeout: 60_000 },
  );
  return { out: stdout.trim(), error: stderr };
}

const USER =
  "import { defineKernel, is, readInput } from '@grace/kernel-sdk'; export default [defineKernel, is.string, readInput].map((f) => typeof f).join()";
const ON = `import { resolveProductImport } from '${HOOK}'; resolveProductImport('${SDK}');`;

test('a module outside the repository imports the kit by its name, once the thread has said where it is', (t) => {
  const home = folder(t);
  assert.match(run(home, USER, '').error, /ERR_MODULE_NOT_FOUND/);
  assert.equal(run(home, USER, ON).out, 'function,function,function');
});

test('every other import is resolved as ever', (t) => {
  const home = folder(t);
  assert.equal(run(home, "import { sep } from 'node:path'; export default sep", ON).out, '/');
  assert.match(
    run(home, "import '@grace/contracts'", ON).error,
    /ERR_MODULE_NOT_FOUND.*|Cannot find package '@grace\/contracts'/s,
  );
});
