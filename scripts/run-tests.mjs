// Checks the code, runs every test in real processes, and ends with `N passed, N failed`. Runs on the pinned runtime.
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join, resolve } from 'node:path';
import { PassThrough } from 'node:stream';
import { run } from 'node:test';
import { stages } from './lanes.mjs';
import report from './reporter.mjs';
import { closeScratch, openScratch } from './scratch.mjs';
import { root } from './setup.mjs';

/** A test file that never ends is a failure, and must not keep the machine. */
const WHOLE_MS = 30 * 60_000;
/** What a file that is told to end has for it. */
const END_MS = 10_000;
const TEST_MS = 180_000;

const named = process.argv.slice(2);
if (named.length === 0) {
  const check = spawnSync(process.execPath, [join(root, 'scripts/check.mjs')], { cwd: root, stdio: 'inherit' });
  if (check.status !== 0) {
    console.log('\n0 passed, 1 failed');
    process.exit(1);
  }
}

// Some 300 processes import much of the same source: what one of them has compiled the others need not.
process.env.NODE_COMPILE_CACHE ??= join(root, 'dist/.compile-cache');

const whole = AbortSignal.timeout(WHOLE_MS);
whole.addEventListener('abort', () => {
  console.log(`\nthe tests did not end within ${WHOLE_MS / 60_000} minutes`);
  setTimeout(() => {
    console.log('\n0 passed, 1 failed');
    process.exit(1);
  }, END_MS).unref();
});

const scratch = openScratch();
const events = new PassThrough({ objectMode: true });
runStages(named.length > 0 ? [[{ files: named, concurrency: 2 }]] : stages());

/** Each stage begins when all lanes of the one before have ended; the last one ends the events. */
function runStages([lanes, ...later]) {
  if (lanes === undefined || whole.aborted) events.end();
  else void Promise.all(lanes.map(runLane)).then(() => runStages(later));
}

function runLane(lane) {
  const stream = run({
    cwd: root,
    files: lane.files.map((file) => resolve(root, file)),
    concurrency: lane.concurrency,
    timeout: TEST_MS,
    signal: whole,
    execArgv: ['--disable-warning=ExperimentalWarning'],
  });
  stream.pipe(events, { end: false });
  return once(stream, 'end');
}

const outcome = { failed: 1 };
for await (const text of report(events, outcome, () => closeScratch(scratch))) process.stdout.write(text);
process.exit(outcome.failed === 0 ? 0 : 1);
