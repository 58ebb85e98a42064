import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { manifestOf, World } from '../../test/world.ts';

const booted = (): World =>
  new World([manifestOf('need'), manifestOf('user', { needs: ['need'] }), manifestOf('far', { cell: 'two' })])
    .boot()
    .run(1000);

describe('by hand, a kernel', () => {
  test('is paused in an orderly way, and stays down until it is resumed', () => {
    const world = booted();
    world.emit({ t: 'pause', kernel: 'need', by: 'test' });
    world.run(20_000);
    assert.equal(world.stateOf('need'), 'stopped');
    assert.ok(world.commands.some(({ command }) => command.do === 'drain' && command.kernel === 'need'));
    assert.equal(world.stateOf('user'), 'running', 'those that need it go on');
    world.emit({ t: 'resume', kernel: 'need', by: 'test' });
    world.run(1000);
    assert.equal(world.stateOf('need'), 'running');
    assert.equal(world.state.kernels['need']!.incarnation, 2);
    assert.deepEqual(world.records('kernel:restart'), [], 'neither is a restart');
  });

  test('that others need goes down and comes back: they are told, and not restarted', () => {
    const world = booted();
    world.crash('need');
    world.run(1000);
    const told = world.commands.flatMap(({ command }) =>
      command.do === 'tell' ? [[command.kernel, command.need, command.up]] : [],
    );
    assert.deepEqual(told, [
      ['user', 'need', false],
      ['user', 'need', true],
    ]);
    assert.equal(world.state.kernels['user']!.incarnation, 1);
  });

  test('is put into quarantine with an escalated incident, until somebody restarts it', () => {
    const world = booted();
    world.emit({ t: 'quarantine', kernel: 'far', by: 'test', reason: 'it smells' });
    world.run(20_000);
    assert.equal(world.stateOf('far'), 'quarantined');
    assert.match(world.records('incident:escalate')[0]!.data.reason, /it smells/);
    world.emit({ t: 'restart', kernel: 'far', by: 'test', reason: 'aired', correlation: undefined });
    world.run(1000);
    assert.equal(world.stateOf('far'), 'running');
    assert.equal(Object.keys(world.state.incidents).length, 0);
  });

  test('is held to a share of a core for a while; a new incarnation is held as well', () => {
    const world = booted();
    world.emit({ t: 'throttle', kernel: 'far', by: 'test', cpu: 0.2, forMs: 5000 });
    world.run(100);
    assert.equal(world.state.kernels['far']!.cap, 0.2);
    world.crash('far');
    world.run(1000);
    assert.equal(world.state.kernels['far']!.cap, 0.2);
    world.run(5000);
    assert.equal(world.state.kernels['far']!.cap, null);
    assert.deepEqual(
      world.records('kernel:limit').map(({ data }) => data.cpu),
      [0.2, 0.2, null],
    );
  });

  test('is restarted, paused, isolated and put into quarantine in any order without ever standing still half-way', () => {
    const orders = ['restart', 'pause', 'resume', 'isolate', 'quarantine'] as const;
    for (const first of orders) {
      for (const second of orders) {
        for (const gapMs of [0, 3, 60]) {
          const world = booted();
          for (const order of [first, second]) {
            world.emit({ t: order, kernel: 'far', by: 'test', reason: 'test', correlation: undefined } as never);
            world.run(gapMs);
          }
          world.run(30_000);
          const expected =
            second === 'pause'
              ? ['stopped', 'quarantined']
              : second === 'quarantine'
                ? ['quarantined', 'stopped']
                : ['running', 'quarantined'];
          assert.ok(
            expected.includes(world.stateOf('far')),
            `${first}, ${gapMs} ms, ${second}: ${world.stateOf('far')}`,
          );
        }
      }
    }
  });
});
