import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { manifestOf, World } from '../../test/world.ts';

const MIB = 1024 ** 2;
const booted = (): World =>
  new World([manifestOf('grower', { limits: { heapBytes: 100 * MIB, externalBytes: 200 * MIB } }), manifestOf('mate')])
    .boot()
    .run(1000);

/** Samples every 100 ms with a heap or off-heap size that grows from `from` by `perSecond`. */
function grow(world: World, of: 'heapBytes' | 'externalBytes', from: number, perSecond: number, forMs: number): void {
  for (let ms = 0; ms < forMs && world.stateOf('grower') === 'running'; ms += 100) {
    world.sample('one', [{ kernel: 'grower', [of]: from + (perSecond * ms) / 1000 }]);
    world.run(100);
  }
}

describe('memory', () => {
  test('at 80 % of a limit: the kernel is asked to shed, at most once a second, and not restarted', () => {
    const world = booted();
    grow(world, 'heapBytes', 85 * MIB, 0, 3000);
    const asked = world.commands.filter(({ command }) => command.do === 'press');
    assert.ok(asked.length >= 1 && asked.length <= 4, `asked ${asked.length} times`);
    assert.deepEqual(world.records('kernel:restart'), []);
    assert.equal(world.records('incident:open')[0]!.data.incident.kind, 'memory_pressure');
    grow(world, 'heapBytes', 10 * MIB, 0, 4000);
    assert.equal(world.records('incident:close').length, 1);
  });

  test('that grows slowly to its limit: the kernel is drained before it is restarted', () => {
    const world = booted();
    grow(world, 'heapBytes', 80 * MIB, 4 * MIB, 10_000);
    world.run(1000);
    assert.equal(world.records('kernel:restart')[0]!.data.cause, 'memory');
    assert.ok(world.commands.some(({ command }) => command.do === 'drain' && command.kernel === 'grower'));
    assert.equal(world.stateOf('grower'), 'running');
  });

  test('that grows fast is ended before it reaches the limit', () => {
    const world = booted();
    let last = 0;
    for (let ms = 0; ms < 2000 && world.stateOf('grower') === 'running'; ms += 50) {
      last = (1000 * MIB * ms) / 1000;
      world.sample('one', [{ kernel: 'grower', externalBytes: last }]);
      world.run(50);
    }
    assert.ok(last < 400 * MIB, `ended at ${last / MIB} MiB`);
    assert.equal(world.records('kernel:restart')[0]!.data.cause, 'memory');
  });

  test('of a whole cell over its limit: its largest kernel pays', () => {
    const world = booted();
    const threads = [
      { kernel: 'grower', heapBytes: 60 * MIB, externalBytes: 10 * MIB },
      { kernel: 'mate', heapBytes: 5 * MIB, externalBytes: 1 * MIB },
    ];
    for (let n = 0; n < 25; n++) {
      world.sample('one', threads, 0, 2.1 * 1024 ** 3);
      if (n < 18) assert.equal(world.records('cell:exit').length, 0, 'it may be given back');
      world.run(500);
    }
    // Neither holds it: the memory is native, and only a new process gives it back.
    assert.equal(world.records('cell:exit').length, 1);
    world.run(3000);
    world.sample(
      'one',
      [{ ...threads[0]!, heapBytes: 70 * MIB, externalBytes: 20 * MIB }, threads[1]!],
      0,
      1.7 * 1024 ** 3,
    );
    assert.equal(world.records('kernel:pressure').at(-1)!.data.of, 'cell');
  });
});
