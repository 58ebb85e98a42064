import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { Script } from 'node:vm';
import { optimisedLater } from './wasm.ts';

const TEXT = '(function () { return 42; })';
let scripts = 0;
/** V8 takes compiled code only where its flags are those it was compiled with. A name of its own: what this process compiled is known by it. */
const takes = (cachedData: Buffer): boolean =>
  new Script(TEXT, { cachedData, filename: `taken-${++scripts}.js` }).cachedDataRejected === false;

test('the flags of the process are what they were before, also after a failure', () => {
  const compiled = new Script(TEXT).createCachedData();
  assert.equal(
    optimisedLater(() => takes(compiled)),
    false,
    'meanwhile they differ',
  );
  assert.equal(takes(compiled), true);
  assert.throws(
    () =>
      optimisedLater(() => {
        throw new Error('no module');
      }),
    /no module/,
  );
  assert.equal(takes(compiled), true);
  setFlagsFromString('--wasm-tiering-budget=14000000');
  assert.equal(takes(compiled), false, 'this test tells other flags');
  setFlagsFromString('--wasm-tiering-budget=13000000');
});
