// Checks the code, runs every test in real processes, and ends with `N passed, N failed`. Runs on the pinned runtime.
import { spawnSync } from 'node:child_process';
import { globSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './setup.mjs';

/** A test file that never ends is a failure, and must not keep the machine. */
const WHOLE_MS = 30 * 60_000;

const named = process.argv.slice(2);
if (named.length === 0) {
  const check = spawnSync(process.execPath, [join(root, 'scripts/check.mjs')], { cwd: root, stdio: 'inherit' });
  if (check.status !== 0) {
    console.log('\n0 passed, 1 failed');
    process.exit(1);
  }
}
const files = named.length > 0 ? named : globSync('packages/*/{src,test}/**/*.test.ts', { cwd: root }).sort();
const { status } = spawnSync(
  process.execPath,
  [
    '--disable-warning=ExperimentalWarning',
    '--test',
    '--test-timeout=180000',
    '--test-concurrency=2',
    `--test-reporter=${join(root, 'scripts/reporter.mjs')}`,
    ...files,
  ],
  { cwd: root, stdio: 'inherit', timeout: WHOLE_MS, killSignal: 'SIGKILL' },
);
if (status === null) console.log(`\nthe tests did not end within ${WHOLE_MS / 60_000} minutes\n0 passed, 1 failed`);
process.exit(status ?? 70);
