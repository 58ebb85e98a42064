import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { poll } from '@grace/testkit';
import { machineCpu } from '../fault/process-table.ts';
import { followTarget, shareBetween, type TargetReading } from './target-readings.ts';

const reading = (atMono: number, cpuMs: number | null): TargetReading => ({ atMono, cpuMs, rssBytes: 1 });

describe('what the laboratory reads of a target', () => {
  test('a share is CPU time over the time between the first and the last reading within', () => {
    const readings = [
      reading(0, 0),
      reading(1000, 1000),
      reading(2000, 1500),
      reading(3000, 2000),
      reading(4000, 3000),
    ];
    assert.deepEqual(shareBetween(readings, 1000, 3000, 500), { share: 0.5, overMs: 2000 });
    assert.equal(shareBetween(readings, 1000, 1400, 500), null, 'too short to say anything');
    assert.equal(shareBetween([reading(0, 0), reading(3000, null)], 0, 4000, 500), null, 'the thread is gone');
  });

  test('a thread that works is read until it is stopped', {
    skip: machineCpu() === null && 'needs /proc',
  }, async () => {
    const readings = followTarget({ pid: process.pid, tid: process.pid });
    try {
      await poll('it has been read three times', () => readings.all.length >= 3);
      assert.ok(readings.all.every(({ cpuMs, rssBytes }) => cpuMs !== null && rssBytes !== null && rssBytes > 1e6));
    } finally {
      readings.stop();
    }
    const seen = readings.all.length;
    await new Promise((resolve) => setTimeout(resolve, 150));
    assert.equal(readings.all.length, seen);
  });

  test('a target outside the system has nothing to read', () => {
    assert.deepEqual(followTarget({ pid: null, tid: null }).all, []);
  });
});
