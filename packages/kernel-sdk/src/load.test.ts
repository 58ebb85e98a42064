import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { folder, graceError } from '../test/bed.ts';
import { loadKernel } from './load.ts';

const write = (t: TestContext, text: string): string => {
  const path = join(folder(t), 'mine.mjs');
  writeFileSync(path, text);
  return path;
};

test('a module whose default export has the id of its manifest is a kernel, by path and by file URL', async (t) => {
  const path = write(t, "export default { id: 'mine', start() {} }");
  assert.equal((await loadKernel('mine', path)).id, 'mine');
  assert.equal((await loadKernel('mine', pathToFileURL(path).href)).id, 'mine');
});

test('a module that is not there is KERNEL_MISSING and named', async (t) => {
  const path = join(folder(t), 'nowhere.mjs');
  await assert.rejects(
    loadKernel('mine', path),
    graceError('KERNEL_MISSING', /^mine: there is no module .*nowhere\.mjs$/),
  );
});

test('a default export that is no kernel is KERNEL_INVALID', async (t) => {
  for (const text of [
    'export const id = 1',
    'export default null',
    'export default 5',
    "export default { id: 'mine' }",
    "export default { id: 'mine', start: 'now' }",
  ])
    await assert.rejects(
      loadKernel('mine', write(t, text)),
      graceError('KERNEL_INVALID', /not a kernel; expected \{ id, start/),
    );
});

test('a kernel of another id is KERNEL_INVALID and both ids are told', async (t) => {
  const path = write(t, "export default { id: 'yours', start() {} }");
  await assert.rejects(loadKernel('mine', path), graceError('KERNEL_INVALID', /^mine: .* exports the kernel "yours"/));
});

test('what a module throws while it is imported comes through', async (t) => {
  await assert.rejects(loadKernel('mine', write(t, "throw new Error('no luck')")), /no luck/);
});
