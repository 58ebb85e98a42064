import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Bench } from './command.ts';
import { type StressDocument, verdictsOf } from './verdicts.ts';

/** Runs alone, after all others: what holds is said of a system that has the machine for itself. */
test('a system whose safeguards are on holds: a paused heartbeat is no hang, and who floods is muted', async () => {
  const bench = new Bench();
  try {
    const { code, stdout, stderr } = await bench.run('stress', '--scenarios', 'S01,S02', '--seed', '7', '--json');
    assert.notEqual(stdout, '', `exit ${code} and no document: ${stderr.replaceAll('\n', ' ')}`);
    const document = JSON.parse(stdout) as StressDocument;
    // A machine that withholds its processors even so proves nothing, and is told.
    assert.ok(code === 0 || code === 2, verdictsOf(document));
    assert.ok(document.waves.flatMap(({ trials }) => trials).length >= 2, verdictsOf(document));
  } finally {
    await bench.clear();
  }
});
