// `npm test`: brings what is missing, checks the code, runs every test in real processes, and ends with `N passed, N failed`.
// Arguments are passed on as test files.
import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { pinnedNode, root, setUp } from './setup.mjs';

/** A test file that never ends is a failure, and must not keep the machine. */
const WHOLE_MS = 30 * 60_000;

setUp();
const [major] = process.versions.node.split('.').map(Number);
if (major < 24) {
  // globSync and the test runner are those of the pinned runtime.
  process.exit(
    spawnSync(pinnedNode, [import.meta.filename ?? new URL(import.meta.url).pathname, ...process.argv.slice(2)], {
      stdio: 'inherit',
    }).status ?? 70,
  );
}
const named = process.argv.slice(2);
if (named.length === 0) {
  const check = spawnSync(pinnedNode, [join(root, 'scripts/check.mjs')], { cwd: root, stdio: 'inherit' });
  if (check.status !== 0) {
    console.log('\n0 passed, 1 failed');
    process.exit(1);
  }
}
const files = named.length > 0 ? named : globSync('packages/*/{src,test}/**/*.test.ts', { cwd: root }).sort();
const result = spawnSync(
  pinnedNode,
  [
    '--disable-warning=ExperimentalWarning',
    '--test',
    '--test-timeout=180000',
    `--test-reporter=${join(root, 'scripts/reporter.mjs')}`,
    ...files,
  ],
  { cwd: root, stdio: 'inherit', timeout: WHOLE_MS, killSignal: 'SIGKILL' },
);
if (result.status === null)
  console.log(`\nthe tests did not end within ${WHOLE_MS / 60_000} minutes\n0 passed, 1 failed`);
process.exit(result.status ?? 70);
