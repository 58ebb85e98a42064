import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { poll } from '@grace/testkit';

/** Two of one length, which is all that V8 looks at. */
const ONE = 'module.exports = () => [1, __filename, require("node:path").sep];';
const TWO = ONE.replace('1', '2');

/** An isolate keeps what it compiled itself, so each start has a thread of its own, which lives until it is told that it may end. */
const STARTER = `
const { parentPort, workerData } = require('node:worker_threads');
const { createRequire } = require('node:module');
parentPort.on('message', () => process.exit());
import(workerData.main).then(({ start }) => {
  const run = start(createRequire(workerData.bundle), workerData.bundle, workerData.digest, workerData.keepAfterMs);
  parentPort.postMessage(run());
  // Its timer was set before this one.
  setTimeout(() => parentPort.postMessage('kept, or not'), 2);
});`;

describe('a bundle', () => {
  let folder: string;
  let bundle: string;
  let compiled: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'grace-start-'));
    bundle = join(folder, 'some.code.cjs');
    compiled = `${bundle}.compiled`;
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  /** What the bundle answers when it is started with this text; what was compiled has been kept by then, where it can be. */
  const answerOf = async (text: string, digest: string, keepAfterMs = 1): Promise<unknown> => {
    writeFileSync(bundle, text);
    const workerData = { main: new URL('./main.ts', import.meta.url).href, bundle, digest, keepAfterMs };
    const worker = new Worker(STARTER, { eval: true, workerData });
    const said: unknown[] = [];
    worker.on('message', (message) => said.push(message));
    await poll('it has answered', () => said.length === 2, { deadlineMs: 30_000 });
    worker.postMessage('end');
    await once(worker, 'exit');
    return said[0];
  };
  const numberOf = async (text: string, digest: string) => ((await answerOf(text, digest)) as unknown[])[0];

  test('is run as a module of its folder', async () => {
    assert.deepEqual(await answerOf(ONE, 'a'), [1, bundle, '/']);
  });

  test('is run by the functions that an earlier start compiled', async () => {
    assert.equal(await numberOf(ONE, 'a'), 1);
    assert.equal(await numberOf(TWO, 'a'), 1);
  });

  test('keeps them at its end, when it ends before it would have', async () => {
    await answerOf(ONE, 'a', 60_000);
    assert.equal(await numberOf(TWO, 'a'), 1);
  });

  test('of another content is compiled anew, and kept in the place of the other', async () => {
    assert.equal(await numberOf(ONE, 'a'), 1);
    assert.equal(await numberOf(TWO, 'b'), 2);
    assert.equal(await numberOf(ONE, 'b'), 2);
  });

  test('whose kept functions are damaged is compiled anew', async () => {
    assert.equal(await numberOf(ONE, 'a'), 1);
    const whole = readFileSync(compiled);
    const flipped = Buffer.from(whole);
    flipped[whole.length >> 1]! ^= 4;
    for (const damaged of [whole.subarray(0, 100), Buffer.alloc(whole.length), flipped]) {
      writeFileSync(compiled, damaged);
      assert.equal(await numberOf(TWO, 'a'), 2);
      assert.equal(await numberOf(ONE, 'a'), 2);
    }
  });

  test('runs where nothing can be kept, and leaves nothing there', async () => {
    mkdirSync(join(compiled, 'in-the-way'), { recursive: true });
    assert.equal(await numberOf(ONE, 'a'), 1);
    assert.deepEqual(readdirSync(folder).sort(), ['some.code.cjs', 'some.code.cjs.compiled']);
    assert.ok(existsSync(join(compiled, 'in-the-way')));
  });
});
