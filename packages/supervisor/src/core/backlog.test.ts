import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { manifestOf, World } from '../../test/world.ts';

const figures = { pattern: 'task.>', bytes: 1, oldestMs: 4 };
const booted = (): World => new World([manifestOf('message_bus'), manifestOf('slow')]).boot().run(1000);

describe('a backlog', () => {
  test('is one incident of its consumer from begin to end, and nobody is restarted for it', () => {
    const world = booted();
    world.emit({ t: 'backlog', consumer: 'slow/task.>', waiting: 1200, over: true, ...figures });
    world.run(30_000);
    world.emit({ t: 'backlog', consumer: 'slow/task.>', waiting: 10, over: false, ...figures });
    const [opened] = world.records('incident:open');
    const { kind, subject } = opened!.data.incident;
    assert.deepEqual([kind, subject, world.records('incident:open').length], ['queue_backlog', 'slow/task.>', 1]);
    assert.deepEqual(
      world.records('detector:fire').map(({ data }) => data.method),
      ['bus_counter'],
    );
    assert.equal(world.records('incident:close').length, 1);
    assert.deepEqual(world.records('kernel:restart'), []);
  });

  test('that the broker of another life counted is not held against its successor', () => {
    const world = booted();
    world.emit({ t: 'backlog', consumer: 'slow/task.>', waiting: 1200, over: true, ...figures });
    world.crash('message_bus');
    assert.deepEqual(
      Object.values(world.state.incidents).filter(({ kind }) => kind === 'queue_backlog'),
      [],
    );
  });
});
