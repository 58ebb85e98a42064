import assert from 'node:assert/strict';
import { test } from 'node:test';
import { endedEarly } from './launch.ts';

test('a supervisor that says why it ended is believed', () => {
  const words = 'some noise\n{"grace":"supervisor","error":{"code":"HOME_TAKEN","message":"pid 7 runs here"}}';
  const error = endedEarly({ code: 1, signal: null }, words);
  assert.equal(error.code, 'HOME_TAKEN');
  assert.equal(error.message, 'pid 7 runs here');
});

test('of one that says nothing, its end and last words are told', () => {
  assert.match(endedEarly({ code: null, signal: 'SIGKILL' }, '').message, /was ended by SIGKILL$/);
  assert.match(
    endedEarly({ code: 134, signal: null }, 'FATAL ERROR').message,
    /exit code 134; its last words:\nFATAL ERROR/,
  );
});
