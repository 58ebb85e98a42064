import assert from 'node:assert/strict';
import { test } from 'node:test';
import { selectScenarios } from './selection.ts';

const known = ['/c/S01_heartbeat_pause.yaml', '/c/S02_acl_spam.yaml', '/c/S03_cpu_spike.yaml'];

test('scenarios are named by id, by its start, or by file; each once', () => {
  assert.deepEqual(selectScenarios(known, undefined, '/'), known);
  assert.deepEqual(selectScenarios(known, ['S02', 'S01_heartbeat_pause', 'S02_acl_spam'], '/'), [known[1], known[0]]);
  assert.deepEqual(selectScenarios(known, ['mine.yaml', './S01'], '/w'), ['/w/mine.yaml', '/w/S01']);
});

test('one that does not exist is refused with the nearest', () => {
  assert.throws(() => selectScenarios(known, ['S1'], '/'), {
    code: 'USAGE',
    message: /no scenario "S1" \(did you mean "S01"\?\)/,
  });
  assert.throws(() => selectScenarios(known, ['S02_acl_span'], '/'), /did you mean "S02_acl_spam"/);
});

test('a start that fits several is refused', () => {
  assert.throws(() => selectScenarios([...known, '/c/S01_other.yaml'], ['S01'], '/'), /names several scenarios/);
});
