import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readThreadTimes, waitsForDisk } from './proc-thread.ts';

const needsProc = { skip: process.platform !== 'linux' && 'needs /proc' };

test('a thread that runs waits for no disk, whatever its name', needsProc, (t) => {
  const { title } = process;
  t.after(() => {
    process.title = title;
  });
  process.title = 'a) D (b';
  assert.equal(waitsForDisk(process.pid), false);
  assert.ok(readThreadTimes(process.pid)!.cpuMs > 0);
});

test('of a thread that is gone, or not known yet, nothing is told', () => {
  assert.deepEqual([waitsForDisk(2 ** 30), waitsForDisk(0), readThreadTimes(2 ** 30)], [null, null, null]);
});
