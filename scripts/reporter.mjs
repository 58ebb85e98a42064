// A line a file, failures whole, and at the end the truth in one line: `N passed, N failed` (and what was skipped, with its reason).
import { relative } from 'node:path';

/**
 * `outcome.failed` is how many failed, once the last line is out. `leftBehind` is asked when all tests have ended: a line for each thing that
 * should be gone by then. That nothing is left is a test like the others.
 */
export default async function* report(source, outcome = {}, leftBehind = undefined) {
  const files = new Map();
  const failures = [];
  const skipped = [];
  let passed = 0;
  let failed = 0;
  for await (const event of source) {
    const { data } = event;
    if (event.type === 'test:stderr' && process.env.GRACE_TEST_VERBOSE) yield data.message;
    if (event.type !== 'test:pass' && event.type !== 'test:fail') continue;
    const file = data.file ? relative(process.cwd(), data.file) : '';
    if (data.details?.type === 'suite') continue;
    // The runner reports each file as a test of its own around its tests; only one that failed by itself counts.
    const isFile =
      data.nesting === 0 &&
      data.name &&
      file &&
      (data.name === data.file || data.name === file || data.name.endsWith('.test.ts'));
    const tally = files.get(file) ?? { passed: 0, failed: 0, skipped: 0, ms: 0 };
    files.set(file, tally);
    if (isFile && event.type === 'test:pass') continue;
    if (data.skip !== undefined && data.skip !== false) {
      tally.skipped++;
      skipped.push(`${file}: ${data.name} (${data.skip === true || data.skip === '' ? 'no reason given' : data.skip})`);
      continue;
    }
    tally.ms += data.details?.duration_ms ?? 0;
    if (event.type === 'test:pass') {
      passed++;
      tally.passed++;
      continue;
    }
    const error = data.details?.error;
    if (error?.failureType === 'subtestsFailed') continue;
    failed++;
    tally.failed++;
    const cause = (isFile && endOf(error)) || (error?.cause ?? error);
    failures.push(`${file}:${data.line ?? ''} ${data.name}\n${indent(cause?.stack ?? String(cause))}`);
    // Its first words at once: a log that is cut short still tells why.
    yield `FAIL ${file}: ${data.name}: ${String(cause?.message ?? cause)
      .split('\n', 4)
      .join(' ')
      .slice(0, 500)}\n`;
  }
  for (const [file, tally] of [...files].sort()) {
    if (tally.passed + tally.failed + tally.skipped === 0) continue;
    const notes = [
      `${tally.passed} passed`,
      tally.failed && `${tally.failed} failed`,
      tally.skipped && `${tally.skipped} skipped`,
    ].filter(Boolean);
    yield `${tally.failed ? 'FAIL' : '  ok'} ${file} (${notes.join(', ')}, ${(tally.ms / 1000).toFixed(1)} s)\n`;
  }
  for (const failure of failures) yield `\n${failure}\n`;
  for (const line of skipped) yield `skipped: ${line}\n`;
  if (passed + failed === 0) failed = 1;
  if (leftBehind) {
    const left = await leftBehind();
    if (left.length === 0) passed++;
    else failed++;
    for (const line of left) yield `FAIL left behind: ${line}\n`;
  }
  outcome.failed = failed;
  yield `\n${passed} passed, ${failed} failed${skipped.length ? `, ${skipped.length} skipped` : ''}\n`;
}

/** A process that ended in the middle names no test: how it ended is all there is to know. */
function endOf({ signal, exitCode } = {}) {
  if (signal) return new Error(`its process was ended by ${signal}`);
  return exitCode ? new Error(`its process ended with exit code ${exitCode}`) : undefined;
}

const indent = (text) => text.replace(/^/gm, '    ');
