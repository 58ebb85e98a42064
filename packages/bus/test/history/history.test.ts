import assert from 'node:assert/strict';
import { test } from 'node:test';
import { runHistory } from './run.ts';

/** `pnpm history` runs for as long as it is told; this one strikes once or more in every way. */
const SEED = 4;
const DURATION_MS = 6000;

test('a history of the bus under kills of kernels, cells, broker, supervisor and processes outside keeps every promise', async () => {
  const { verdict, violations, missing, kept } = await runHistory({
    seed: SEED,
    durationMs: DURATION_MS,
    calmMs: 1000,
  });
  const words = violations.slice(0, 10).map(({ rule, message }) => `${rule}: ${message}`);
  assert.equal(verdict, 'held', [...words, ...missing, `the history is kept in ${kept}`].join('\n'));
});
