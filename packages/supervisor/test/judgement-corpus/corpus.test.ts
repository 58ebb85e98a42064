import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { describe, test } from 'node:test';
import { CONDITIONS } from '@grace/contracts';
import { CORPUS_FILE, readCorpus } from './corpus-file.ts';
import { accuracy, falseAccusations, judgeRecording } from './score.ts';
import { BARS, scoresPage } from './scores-page.ts';
import { STATES } from './states.ts';

const PAGE = new URL('../../../../docs/architecture/judgement-scores.md', import.meta.url);
const recordings = readCorpus();
const judged = recordings.flatMap(judgeRecording);

describe('the corpus', () => {
  test('holds every state, and is small enough to be kept', () => {
    assert.deepEqual(
      recordings.map(({ state }) => state),
      Object.keys(STATES),
    );
    assert.ok(statSync(CORPUS_FILE).size < 1_000_000);
  });

  test('every condition is the best answer somewhere', () => {
    const best = new Set(judged.filter(({ phase }) => phase === 'during').map(({ right }) => right[0]));
    assert.deepEqual(
      CONDITIONS.filter((condition) => !best.has(condition)),
      [],
    );
  });
});

test('no thread that is not to blame would be restarted, not once', () => {
  const accused = falseAccusations(judged);
  assert.deepEqual(
    accused.map(({ state, atMs, judgement }) => ({ state, atMs, judgement })),
    [],
  );
});

for (const [name, state] of Object.entries(STATES)) {
  if (!state.culprit || !state.right.some((condition) => condition === 'spinning' || condition === 'blocked')) continue;
  test(`${name}: would be restarted`, () => {
    assert.ok(judged.some((window) => window.state === name && window.restarts));
  });
}

for (const condition of CONDITIONS) {
  test(`${condition}: at least ${BARS[condition] * 100} % of its windows get a right answer`, () => {
    const score = accuracy(judged).get(condition);
    assert.ok(score);
    assert.ok(score.right / score.windows >= BARS[condition], `${score.right} of ${score.windows}`);
  });
}

test('the page of scores is what the corpus and the judge give', () => {
  assert.equal(
    readFileSync(PAGE, 'utf8'),
    scoresPage(recordings),
    'run: node packages/supervisor/test/judgement-corpus/write-scores.ts',
  );
});
