import assert from 'node:assert/strict';
import { test } from 'node:test';
import { statusOf } from '../../test/control-stand-in.ts';
import { metricOf } from './metric.ts';
import { readable, resolveTarget } from './target.ts';

const waiting = (count: number) => {
  const status = statusOf([{ id: 'message_bus', tid: 4 }]);
  return { ...status, bus: { ...status.bus, waiting: count } };
};
const flood = resolveTarget(waiting(0), { kind: 'principal', principal: 'flood_test' }, ['flood_consumer/drill']);

test('a flood is over when its actor owes nothing and the broker has no more waiting than before', () => {
  let isOver = false;
  const metric = metricOf(flood, 'topic_flood', waiting(7), () => isOver);
  assert.equal(metric(waiting(0)), false);
  isOver = true;
  assert.equal(metric(waiting(500)), false);
  assert.equal(metric(waiting(10)), true);
  assert.equal(metric(null), null);
});

test('damage is over when it does not stand on the disk any more, whatever the threads do', () => {
  const target = resolveTarget(waiting(0), { kind: 'kernel', kernel: 'message_bus' });
  let isOver = false;
  const metric = metricOf(target, 'log_damage', waiting(0), () => isOver);
  assert.equal(metric(waiting(0)), false);
  isOver = true;
  assert.equal(metric(waiting(0)), true);
});

test('what a principal floods is the broker, whose process is read meanwhile', () => {
  assert.deepEqual(readable(waiting(0), flood), { pid: process.pid, tid: 4 });
  assert.deepEqual(readable(statusOf([{ id: 'scheduler' }]), flood), { pid: null, tid: null });
});
