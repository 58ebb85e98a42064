import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { manifestOf, World } from '../../test/world.ts';

const three = () => [
  manifestOf('bus'),
  manifestOf('memory', { needs: ['bus'] }),
  manifestOf('books', { needs: ['memory'], cell: 'two' }),
];
const spin = (kernel: string, forMs: number) => ({
  kernel,
  heartbeatAgeMs: forMs + 150,
  elu: 1,
  cpuMs: 10 + forMs,
  missed: { forMs, cpuMs: forMs * 0.98, runDelayMs: 1, logs: 0, work: 0 },
});

describe('boot', () => {
  test('kernels start in the order of their needs, and are ready when their probe has answered', () => {
    const world = new World(three()).boot().run(1000);
    assert.deepEqual(
      world.records('kernel:ready').map((record) => record.kernel),
      ['bus', 'memory', 'books'],
    );
    assert.equal(world.records('system:ready')[0]!.data.ready, 3);
  });

  test('modules load in parallel: nobody waits for the module of another', () => {
    const world = new World(three()).boot().run(35);
    assert.equal(world.commands.filter(({ command }) => command.do === 'load').length, 3);
  });

  test('a kernel whose first probe fails is never called ready', () => {
    const world = new World(three(), { behaviour: (id) => (id === 'memory' ? { probe: () => 'fails' } : {}) })
      .boot()
      .run(9000);
    assert.equal(world.stateOf('memory'), 'probing');
    assert.equal(world.records('kernel:ready', 'memory').length, 0);
  });

  test('a kernel that throws in start is tried again within its budget, then quarantined; those that need it are told', () => {
    const world = new World(three(), { behaviour: (id) => (id === 'memory' ? { start: () => 'throws' } : {}) })
      .boot()
      .run(20_000);
    assert.equal(world.stateOf('memory'), 'quarantined');
    assert.equal(world.records('kernel:restart', 'memory').length, 5);
    assert.equal(world.stateOf('books'), 'failed');
    assert.equal(world.state.kernels['books']!.error!.code, 'NEEDS_FAILED');
    assert.equal(world.stateOf('bus'), 'running');
    assert.equal(world.records('system:ready')[0]!.data.ready, 1);
  });

  test('a start that never returns ends at its deadline', () => {
    const world = new World([manifestOf('slow', { startDeadlineMs: 500, restart: { budget: 0 } })], {
      behaviour: () => ({ start: () => 'hangs' }),
    })
      .boot()
      .run(3000);
    assert.equal(world.stateOf('slow'), 'quarantined');
    assert.equal(world.state.kernels['slow']!.error!.code, 'KERNEL_NEVER_READY');
  });

  test('a cured need brings its dependants up', () => {
    const world = new World(three(), {
      behaviour: (id) => (id === 'memory' ? { start: (incarnation) => (incarnation < 8 ? 'throws' : 'ok') } : {}),
    })
      .boot()
      .run(20_000);
    assert.equal(world.stateOf('books'), 'failed');
    while (world.stateOf('memory') !== 'running') {
      world.emit({ t: 'restart', kernel: 'memory', by: 'test', reason: 'cured', correlation: undefined });
      world.run(10_000);
    }
    assert.equal(world.stateOf('books'), 'running');
  });
});

describe('crash', () => {
  test('a crashed kernel is back in a new incarnation at once, and nobody else is touched', () => {
    const world = new World(three()).boot().run(1000);
    world.crash('memory');
    world.run(200);
    assert.equal(world.stateOf('memory'), 'running');
    assert.equal(world.state.kernels['memory']!.incarnation, 2);
    assert.equal(world.state.kernels['bus']!.incarnation, 1);
    assert.equal(world.state.kernels['books']!.incarnation, 1);
    assert.equal(Object.keys(world.state.incidents).length, 0);
    assert.deepEqual(
      world.records('detector:fire').map((record) => record.data.method),
      ['exit'],
    );
  });

  test('a kernel that crashes more often than its budget is quarantined and escalated', () => {
    const world = new World(three()).boot().run(1000);
    for (let n = 0; n < 6; n++) {
      world.crash('memory');
      world.run(6000);
    }
    assert.equal(world.stateOf('memory'), 'quarantined');
    assert.equal(world.records('incident:escalate').length, 1);
    assert.equal(world.stateOf('books'), 'running');
  });

  test('with the restart engine switched off a crashed kernel stays down', () => {
    const world = new World(three(), { safeguards: { restartEngine: false } }).boot().run(1000);
    world.crash('memory');
    world.run(5000);
    assert.equal(world.stateOf('memory'), 'failed');
  });

  test('a transient kernel that ends by itself stays stopped, and one that crashes is restarted', () => {
    const world = new World([manifestOf('job', { restart: { class: 'transient' } })]).boot().run(500);
    world.crash('job', 3);
    world.run(500);
    assert.equal(world.stateOf('job'), 'running');
    world.crash('job', 0);
    world.run(500);
    assert.equal(world.stateOf('job'), 'stopped');
  });

  test('all kernels of a lost cell come back without using their budget', () => {
    const world = new World(three()).boot().run(1000);
    world.crashCell('one');
    world.run(500);
    assert.equal(world.stateOf('bus'), 'running');
    assert.equal(world.stateOf('memory'), 'running');
    assert.deepEqual(world.state.kernels['bus']!.budgetUsed, {});
    assert.equal(world.state.kernels['books']!.incarnation, 1);
    assert.equal(Object.keys(world.state.incidents).length, 0);
  });

  test('a thread that cannot be ended costs its cell, and its cell-mates are back', () => {
    const world = new World(three(), { behaviour: (id) => (id === 'memory' ? { terminate: 'stuck' } : {}) })
      .boot()
      .run(1000);
    world.emit({ t: 'restart', kernel: 'memory', by: 'test', reason: 'x', correlation: undefined });
    world.run(3000);
    assert.equal(world.records('kernel:stuck').length, 1);
    assert.equal(world.stateOf('bus'), 'running');
    assert.equal(world.stateOf('memory'), 'running');
  });
});

describe('judgement', () => {
  test('a heartbeat that stops while the loop turns is noticed, and nobody is restarted', () => {
    const world = new World(three()).boot().run(1000);
    for (let age = 300; age < 5000; age += 50) {
      world.sample('two', [
        {
          kernel: 'books',
          heartbeatAgeMs: age,
          elu: 0.01,
          missed: { forMs: age - 150, cpuMs: 1, runDelayMs: 0, logs: 1, work: 3 },
        },
      ]);
      world.run(50);
    }
    assert.equal(world.records('incident:open')[0]!.data.incident.kind, 'heartbeat_gap');
    assert.equal(world.records('kernel:restart').length, 0);
    world.sample('two', [{ kernel: 'books' }]);
    world.run(1100);
    world.sample('two', [{ kernel: 'books' }]);
    assert.equal(Object.keys(world.state.incidents).length, 0);
  });

  test('a spinning kernel that does not answer its probe is replaced', () => {
    const world: World = new World(three(), {
      behaviour: (id) => (id === 'memory' ? { probe: (n) => (n === 1 && world.now > 900 ? 'hangs' : 'ok') } : {}),
    }).boot();
    world.run(1000);
    for (let forMs = 150; forMs < 700; forMs += 50) {
      if (world.state.kernels['memory']!.incarnation === 1) world.sample('one', [spin('memory', forMs)]);
      world.run(50);
    }
    world.run(500);
    assert.equal(world.state.kernels['memory']!.incarnation, 2);
    assert.equal(world.stateOf('memory'), 'running');
    assert.deepEqual(
      new Set(world.records('detector:fire', 'memory').map((record) => record.data.method)),
      new Set(['heartbeat', 'metric', 'probe']),
    );
  });

  test('a spinning kernel that still answers its probe is left alone', () => {
    const world = new World(three()).boot().run(1000);
    for (let forMs = 150; forMs < 3000; forMs += 50) {
      world.sample('one', [spin('memory', forMs)]);
      world.run(50);
    }
    assert.equal(world.records('kernel:restart').length, 0);
  });

  test('a starved kernel is never restarted, whatever else is late', () => {
    const world: World = new World(three(), {
      behaviour: (id) => (id === 'memory' ? { probe: () => (world.now > 900 ? 'hangs' : 'ok') } : {}),
    }).boot();
    world.run(1000);
    for (let forMs = 150; forMs < 10_000; forMs += 50) {
      world.sample('one', [
        {
          kernel: 'memory',
          heartbeatAgeMs: forMs + 150,
          elu: 1,
          missed: { forMs, cpuMs: Math.min(200, forMs * 0.1), runDelayMs: forMs * 0.9, logs: 0, work: 0 },
        },
      ]);
      world.run(50);
    }
    assert.equal(world.records('kernel:restart').length, 0);
  });

  test('when the agent itself is late nobody is accused', () => {
    const world = new World(three()).boot().run(1000);
    for (let n = 0; n < 50; n++) {
      world.sample('one', [spin('memory', 2000)], 400);
      world.run(50);
    }
    assert.equal(world.records('incident:open').length, 0);
  });

  test('with the heartbeat detector switched off a heartbeat gap is not noticed', () => {
    const world = new World(three(), { safeguards: { heartbeatDetector: false } }).boot().run(1000);
    world.sample('two', [
      { kernel: 'books', heartbeatAgeMs: 5000, missed: { forMs: 4800, cpuMs: 1, runDelayMs: 0, logs: 1, work: 3 } },
    ]);
    world.run(100);
    assert.equal(world.records('incident:open').length, 0);
  });

  test('a kernel whose need is down is not blamed for its failed probe', () => {
    const failing = { on: false };
    const world = new World(three(), {
      behaviour: (id) =>
        id === 'books'
          ? { probe: () => (failing.on ? 'fails' : 'ok') }
          : id === 'memory'
            ? { start: (n) => (n === 1 ? 'ok' : 'hangs') }
            : {},
    }).boot();
    world.run(1000);
    failing.on = true;
    world.crash('memory');
    world.run(8000);
    assert.equal(world.records('kernel:restart', 'books').length, 0);
  });

  test('a kernel whose need is not let on a processor is not blamed for its failed probe, and is afterwards', () => {
    const failing = { on: false };
    const world: World = new World(three(), {
      behaviour: (id) => (id === 'books' ? { probe: () => (failing.on ? 'fails' : 'ok') } : {}),
    }).boot();
    world.run(1000);
    failing.on = true;
    for (let forMs = 150; forMs < 8000; forMs += 50) {
      const missed = { forMs, cpuMs: 0, runDelayMs: forMs * 0.9, logs: 0, work: 0 };
      world.sample('one', [{ kernel: 'memory', heartbeatAgeMs: forMs + 150, elu: 1, missed }]);
      world.run(50);
    }
    assert.equal(world.records('kernel:restart', 'books').length, 0);
    world.sample('one', [{ kernel: 'memory' }]);
    world.run(8000);
    assert.equal(world.records('kernel:restart', 'books')[0]!.data.cause, 'probe');
  });

  test('a probe that fails twice in a row, with all needs up, is a restart', () => {
    const failing = { until: 0 };
    const world = new World(three(), {
      behaviour: (id) => (id === 'books' ? { probe: (n) => (n === 1 && failing.until > 0 ? 'fails' : 'ok') } : {}),
    }).boot();
    world.run(5000);
    failing.until = 1;
    world.run(8000);
    assert.equal(world.records('kernel:restart', 'books')[0]!.data.cause, 'probe');
    assert.equal(world.stateOf('books'), 'running');
  });

  test('a machine that a boot fills is no incident, until it stays full afterwards', () => {
    const answers = { from: Number.POSITIVE_INFINITY };
    const world = new World(three(), {
      behaviour: (id) => (id === 'books' ? { probe: () => (world.now >= answers.from ? 'ok' : 'fails') } : {}),
    });
    world.emit({ t: 'boot' });
    const full = (times: number): void => {
      for (let n = 0; n < times; n++) {
        world.emit({ t: 'machine', busy: 1, lagMs: 0 });
        world.run(250);
      }
    };
    full(8);
    assert.equal(world.state.phase, 'booting');
    assert.deepEqual(world.records('incident:open'), []);
    answers.from = world.now;
    full(2);
    assert.equal(world.state.phase, 'running');
    assert.deepEqual(world.records('incident:open'), []);
    full(3);
    assert.equal(world.records('incident:open')[0]!.data.incident.kind, 'cpu_saturation');
  });

  test('a machine that is full is an incident of its own', () => {
    const world = new World(three()).boot().run(1000);
    for (let n = 0; n < 5; n++) {
      world.emit({ t: 'machine', busy: 1, lagMs: 0 });
      world.run(250);
    }
    assert.equal(world.records('incident:open')[0]!.data.incident.kind, 'cpu_saturation');
    for (let n = 0; n < 6; n++) {
      world.emit({ t: 'machine', busy: 0.1, lagMs: 0 });
      world.run(250);
    }
    assert.equal(Object.keys(world.state.incidents).length, 0);
  });
});

describe('by hand', () => {
  test('a restart drains first and costs nothing of the budget', () => {
    const world = new World(three()).boot().run(1000);
    world.emit({ t: 'restart', kernel: 'memory', by: 'operator', reason: 'test', correlation: undefined });
    world.run(300);
    assert.ok(world.commands.some(({ command }) => command.do === 'drain'));
    assert.deepEqual(world.state.kernels['memory']!.budgetUsed, {});
    assert.equal(world.state.kernels['memory']!.incarnation, 2);
    assert.equal(world.stateOf('memory'), 'running');
  });

  test('an isolated kernel comes up in a cell of its own', () => {
    const world = new World(three()).boot().run(1000);
    world.emit({ t: 'isolate', kernel: 'memory', by: 'operator' });
    world.run(500);
    assert.equal(world.state.kernels['memory']!.cell, 'solo_memory');
    assert.equal(world.stateOf('memory'), 'running');
    assert.equal(world.state.kernels['bus']!.incarnation, 1);
  });

  test('a stop drains dependants before what they need, and finishes', () => {
    const world = new World(three()).boot().run(1000);
    world.emit({ t: 'stop', reason: 'test', timeoutMs: 5000 });
    world.run(2000);
    assert.equal(world.finished, true);
    const drains = world.commands
      .filter(({ command }) => command.do === 'drain')
      .map(({ command }) => 'kernel' in command && command.kernel);
    assert.deepEqual(drains, ['books', 'memory', 'bus']);
  });

  test('a stop ends at its deadline even when a kernel cannot be ended', () => {
    const world = new World(three(), { behaviour: (id) => (id === 'books' ? { terminate: 'stuck' } : {}) })
      .boot()
      .run(1000);
    world.emit({ t: 'stop', reason: 'test', timeoutMs: 3000 });
    world.run(6000);
    assert.equal(world.finished, true);
  });
});

test('after any schedule of crashes, lost cells and restarts every kernel is running or quarantined, and never twice alive', () => {
  const step = fc.oneof(
    fc.record({
      t: fc.constant('crash' as const),
      kernel: fc.constantFrom('bus', 'memory', 'books'),
      code: fc.constantFrom(0, 1),
    }),
    fc.record({ t: fc.constant('cell' as const), cell: fc.constantFrom('one', 'two') }),
    fc.record({ t: fc.constant('restart' as const), kernel: fc.constantFrom('bus', 'memory', 'books') }),
    fc.record({ t: fc.constant('isolate' as const), kernel: fc.constantFrom('bus', 'memory', 'books') }),
    fc.record({ t: fc.constant('spin' as const), kernel: fc.constantFrom('memory', 'books') }),
  );
  fc.assert(
    fc.property(
      fc.array(fc.tuple(step, fc.integer({ min: 0, max: 800 })), { maxLength: 25 }),
      fc.integer(),
      (schedule, seed) => {
        const world = new World(three(), { seed }).boot();
        for (const [event, pause] of schedule) {
          world.run(pause);
          if (event.t === 'crash') world.crash(event.kernel, event.code);
          else if (event.t === 'cell') world.crashCell(event.cell);
          else if (event.t === 'spin') world.sample(world.state.kernels[event.kernel]!.cell, [spin(event.kernel, 500)]);
          else
            world.emit(
              event.t === 'restart'
                ? { ...event, by: 'test', reason: '', correlation: undefined }
                : { ...event, by: 'test' },
            );
        }
        world.run(60_000);
        for (const [id, kernel] of Object.entries(world.state.kernels)) {
          assert.ok(
            kernel.state === 'running' || kernel.state === 'quarantined' || kernel.error?.code === 'NEEDS_FAILED',
            `${id} is ${kernel.state}`,
          );
        }
      },
    ),
    // `pnpm simulate` plays more, and worse.
    { numRuns: 100 },
  );
});

test('the same schedule gives the same decisions', () => {
  const play = (): string => {
    const world = new World(three(), { seed: 42 }).boot().run(700);
    world.crash('memory');
    world.run(50);
    world.crash('memory');
    world.run(3000);
    return JSON.stringify(world.commands);
  };
  assert.equal(play(), play());
});
