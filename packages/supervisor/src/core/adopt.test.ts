import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ThreadInventory } from '@grace/contracts';
import { manifestOf, World } from '../../test/world.ts';
import { decide } from './decide.ts';
import type { Command } from './events.ts';

const running = (): World => new World([manifestOf('a'), manifestOf('b', { needs: ['a'] })]).boot().run(500);

const thread = (kernel: string, incarnation = 1, stage: ThreadInventory['stage'] = 'started'): ThreadInventory => ({
  kernel,
  incarnation,
  tid: 70,
  stage,
  verbs: ['status'],
});

/** What the core does when the cell dials with these threads. */
function dial(world: World, threads: ThreadInventory[]) {
  const event = { t: 'cell-adopted', cell: 'one', incarnation: 1, pid: 9, threads } as const;
  const { state, commands } = decide(world.state, event, world.now);
  const orders = commands.filter(({ do: what }) => what !== 'journal' && what !== 'evidence');
  const journal = commands.flatMap((command) => (command.do === 'journal' ? [command.draft] : []));
  return { state, orders, journal };
}

const named = (orders: Command[]): string[] =>
  orders.map((order) => ('kernel' in order ? `${order.do} ${order.kernel}` : order.do));

describe('a cell that lived without a supervisor', () => {
  test('has its running kernels probed at once and nothing else done to them', () => {
    const { state, orders, journal } = dial(running(), [thread('a'), thread('b')]);
    assert.deepEqual(named(orders), ['probe a', 'probe b']);
    assert.deepEqual(journal, []);
    assert.deepEqual([state.kernels['a']!.incarnation, state.kernels['a']!.tid, state.cells['one']!.pid], [1, 70, 9]);
  });

  test('without the thread of a running kernel has that one restarted as crashed', () => {
    const { state, orders } = dial(running(), [thread('b')]);
    assert.deepEqual(named(orders).sort(), ['load a', 'probe b', 'tell b']);
    assert.deepEqual([state.kernels['a']!.incarnation, state.kernels['b']!.incarnation], [2, 1]);
    assert.equal(Object.values(state.incidents)[0]?.kind, 'kernel_crash');
  });

  test('has threads of other incarnations and of nobody ended', () => {
    const { orders } = dial(running(), [thread('a'), thread('b'), thread('b', 7), thread('stranger')]);
    assert.deepEqual(
      orders.flatMap((order) => (order.do === 'terminate' ? [`${order.kernel} ${order.incarnation}`] : [])),
      ['b 7', 'stranger 1'],
    );
  });

  test('has the thread of a paused kernel ended, and the kernel stays down', () => {
    const world = running();
    world.emit({ t: 'pause', kernel: 'b', by: 'you' });
    world.run(500);
    const { state, orders } = dial(world, [thread('a'), thread('b')]);
    assert.ok(named(orders).includes('terminate b'));
    assert.equal(state.kernels['b']!.state, 'stopped');
  });

  test('is asked again for what it may not have done: to load, to start, to drain', () => {
    const world = new World([manifestOf('a'), manifestOf('b', { needs: ['a'] })], {
      behaviour: (id) => (id === 'a' ? { start: () => 'hangs' } : {}),
    })
      .boot()
      .run(200);
    assert.deepEqual(named(dial(world, [thread('a', 1, 'loaded'), thread('b', 1, 'loading')]).orders), [
      'start a',
      'load b',
    ]);
    const draining = running();
    draining.emit({ t: 'pause', kernel: 'b', by: 'you' });
    assert.ok(named(dial(draining, [thread('a'), thread('b')]).orders).includes('drain b'));
  });
});
