import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { manifestOf, World } from '../../test/world.ts';

/** `bad` and `mate` in one cell, `far` in another; `bad` cannot be ended by `terminate()` while `stuck`, nor answer while `blocked`. */
function pair(stuck = { on: true }, blocked = { on: false }): World {
  return new World([manifestOf('bad'), manifestOf('mate'), manifestOf('far', { cell: 'two' })], {
    behaviour: (kernel) => ({
      terminate: kernel === 'bad' && stuck.on ? 'stuck' : 'ok',
      probe: () => (kernel === 'bad' && blocked.on ? 'hangs' : 'ok'),
    }),
  })
    .boot()
    .run(1000);
}

/** Its event loop is held without any CPU until it is taken down. */
function block(world: World, blocked: { on: boolean }): void {
  blocked.on = true;
  for (let n = 0; n < 10 && world.stateOf('bad') === 'running'; n++) {
    const missed = { forMs: 500 + n * 100, cpuMs: 1, runDelayMs: 1, logs: 0, work: 0 };
    world.sample(world.state.kernels['bad']!.cell, [
      { kernel: 'bad', heartbeatAgeMs: 600 + n * 100, elu: 1, cpuMs: 10, missed },
    ]);
    world.run(100);
  }
  blocked.on = false;
}

describe('the kill ladder', () => {
  test('ends in the end of the cell: its mates come back there, the one at fault in a cell of its own', () => {
    const blocked = { on: false };
    const world = pair({ on: true }, blocked);
    block(world, blocked);
    world.run(5000);
    assert.deepEqual(
      world.records('kernel:stuck').map(({ kernel }) => kernel),
      ['bad'],
    );
    assert.deepEqual(
      ['bad', 'mate', 'far'].map((id) => [id, world.stateOf(id), world.state.kernels[id]!.cell]),
      [
        ['bad', 'running', 'solo_bad'],
        ['mate', 'running', 'one'],
        ['far', 'running', 'two'],
      ],
    );
    assert.equal(world.state.kernels['far']!.incarnation, 1);
    assert.deepEqual(
      world.records('kernel:move').map(({ data }) => data),
      [{ from: 'one', to: 'solo_bad', why: 'solitary' }],
    );
    assert.deepEqual(world.state.kernels['mate']!.budgetUsed, {}, 'a mate pays nothing');
  });

  test('brings it back among the others after a stable time, and ends the cell it was alone in', () => {
    const stuck = { on: true };
    const blocked = { on: false };
    const world = pair(stuck, blocked);
    block(world, blocked);
    world.run(5000);
    stuck.on = false;
    world.run(61_000);
    assert.equal(world.state.kernels['bad']!.cell, 'one');
    assert.equal(world.stateOf('bad'), 'running');
    assert.equal(world.records('kernel:move').at(-1)!.data.why, 'return');
    assert.equal(world.state.cells['solo_bad']!.state, 'down');
  });

  test('keeps it alone twice as long when it had to be moved again', () => {
    const blocked = { on: false };
    const world = pair({ on: true }, blocked);
    block(world, blocked);
    world.run(63_000);
    assert.equal(world.state.kernels['bad']!.cell, 'one');
    block(world, blocked);
    world.run(5000);
    const moves = world.records('kernel:move').map(({ data }) => data.why);
    assert.deepEqual(moves, ['solitary', 'return', 'solitary']);
    assert.equal(world.state.kernels['bad']!.solitary!.stableMs, 120_000);
  });

  test('does not wait for ever for a cell that answers nothing', () => {
    const world = pair();
    world.emit({ t: 'restart', kernel: 'mate', by: 'test', reason: 'test', correlation: undefined });
    // The cell is gone from the world without a word: no answer to any order, and no exit.
    world.silent.set('one', 'blocked');
    world.mute('one');
    world.run(15_000);
    const killed = world.commands.filter(({ command }) => command.do === 'kill-cell' && command.cell === 'one');
    assert.ok(killed.length > 0, 'the cell is killed');
  });
});

describe('a cell that ends again and again with nobody to blame', () => {
  test('is dissolved, and then the one at fault pays alone', () => {
    const world = pair({ on: false });
    for (let n = 0; n < 3; n++) {
      world.crashCell('one');
      world.run(2000);
    }
    assert.deepEqual(
      ['bad', 'mate'].map((id) => world.state.kernels[id]!.cell),
      ['solo_bad', 'solo_mate'],
    );
    for (let n = 0; n < 6; n++) {
      world.crashCell('solo_bad');
      world.run(7000);
    }
    assert.equal(world.stateOf('bad'), 'quarantined');
    assert.equal(world.stateOf('mate'), 'running');
  });
});

describe('a silent cell', () => {
  test('that was stopped by a signal is woken, and nobody is restarted', () => {
    const world = pair({ on: false });
    world.silent.set('one', 'stopped');
    world.run(10_000);
    assert.equal(world.silent.size, 0);
    assert.deepEqual(world.records('kernel:restart'), []);
    assert.equal(world.records('incident:open')[0]!.data.incident.kind, 'cell_frozen');
    assert.equal(world.records('incident:close').length, 1);
  });

  test('whose main thread stays blocked is replaced', () => {
    const world = pair({ on: false });
    world.silent.set('one', 'blocked');
    world.run(10_000);
    assert.equal(world.stateOf('bad'), 'running');
    assert.equal(world.state.kernels['bad']!.incarnation, 2);
    assert.equal(world.state.kernels['far']!.incarnation, 1);
  });
});
