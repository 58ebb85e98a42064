import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { completeManifest, type KernelManifest } from '../manifest.ts';
import type { SystemPlan } from '../plan.ts';
import { compilePlan, type PlanSources } from './compile-plan.ts';
import { parseGraceConfig } from './grace-config.ts';
import { withNeeds } from './needs.ts';

const empty = { allow: [], deny: [] };

function manifest(id: string, needs: readonly string[] = []): KernelManifest {
  return completeManifest({ id, title: id, cell: 'core', needs }, { module: `/dist/kernels/${id}.js`, builtin: true });
}

const catalogue = [
  manifest('message_bus'),
  manifest('memory_fusion', ['message_bus']),
  manifest('librarian', ['message_bus', 'memory_fusion']),
  manifest('scheduler', ['message_bus']),
];

function plan(yaml = '', more: Partial<PlanSources> = {}): SystemPlan {
  return compilePlan({
    catalogue,
    config: parseGraceConfig(yaml, '/app/grace.yaml'),
    acl: { kernels: { publish: empty, subscribe: empty }, principals: {} },
    home: '/app/.grace',
    entries: { guardian: '/d/guardian.js', supervisor: '/d/supervisor.js', cell: '/d/cell.js', thread: '/d/thread.js' },
    version: '0.1.0',
    armed: false,
    memoryBytes: 8 * 1024 ** 3,
    playbooks: [],
    ...more,
  });
}

const idsOf = ({ kernels }: SystemPlan): string[] => kernels.map(({ id }) => id);

describe('the plan', () => {
  test('without a configuration it is the catalogue with every safeguard on', () => {
    const compiled = plan();
    assert.deepEqual(compiled.kernels, catalogue);
    assert.deepEqual(compiled.safeguards, { heartbeatDetector: true, mute: true, restartEngine: true });
  });

  test('an override changes what it names and nothing else', () => {
    const [bus, fusion] = plan(
      'kernels: { memory_fusion: { limits: { heap: 64MB }, probe: { interval: 1s }, config: { a: 1 } } }',
    ).kernels;
    assert.deepEqual(bus, catalogue[0]);
    assert.deepEqual(fusion, {
      ...catalogue[1]!,
      limits: { ...catalogue[1]!.limits, heapBytes: 64e6 },
      probe: { ...catalogue[1]!.probe, intervalMs: 1000 },
      config: { a: 1 },
    });
  });

  test("a user's kernel gets the defaults, its module beside the file, and a cell apart", () => {
    const greeter = plan('kernels: { greeter: { module: ./greeter.mjs, needs: [message_bus] } }').kernels.at(-1)!;
    assert.equal(greeter.module, '/app/greeter.mjs');
    assert.equal(greeter.cell, 'user');
    assert.equal(greeter.builtin, false);
    assert.equal(greeter.restart.class, 'permanent');
  });

  test("grants of a user's kernel become rules of its principal", () => {
    const { acl } = plan('kernels: { greeter: { module: ./g.mjs, grants: { publish: { allow: ["task.greet"] } } } }');
    assert.deepEqual(acl.principals['greeter'], { publish: { allow: ['task.greet'], deny: [] }, subscribe: empty });
  });

  test('a kernel that is neither built in nor has a module is refused with the nearest id', () => {
    for (const yaml of ['kernels: { libarian: { cell: edge } }', 'kernels: { libarian: { enabled: false } }']) {
      assert.throws(() => plan(yaml), {
        code: 'CONFIG_INVALID',
        message: /^\/app\/grace\.yaml:1:\d+: kernels\.libarian: .*did you mean "librarian"/,
      });
    }
  });

  test('a need that does not exist is refused with the nearest id and the line', () => {
    assert.throws(() => plan('kernels:\n  greeter:\n    module: ./g.mjs\n    needs: [mesage_bus]\n'), {
      code: 'NEEDS_UNKNOWN',
      message: '/app/grace.yaml:3:5: greeter needs "mesage_bus", which does not exist (did you mean "message_bus"?)',
    });
  });

  test('a kernel that others need cannot be switched off', () => {
    assert.throws(() => plan('kernels: { memory_fusion: { enabled: false } }'), {
      code: 'NEEDS_UNKNOWN',
      message: /librarian needs "memory_fusion", which is switched off \(\/app\/grace\.yaml:1:\d+\)/,
    });
    assert.deepEqual(idsOf(plan('kernels: { memory_fusion: { enabled: false }, librarian: { enabled: false } }')), [
      'message_bus',
      'scheduler',
    ]);
  });

  test('a circle is named from its first kernel back to it', () => {
    assert.throws(() => plan('kernels: { message_bus: { needs: [librarian] } }'), {
      code: 'NEEDS_CYCLE',
      message: /message_bus needs librarian needs message_bus$/,
    });
    assert.throws(() => plan('kernels: { scheduler: { needs: [scheduler] } }'), /scheduler needs scheduler$/);
  });

  test('what the composition root provides is there, and grace.yaml wins over it', () => {
    const provided = { scheduler: { a: 1, b: 1 } };
    const compiled = plan('kernels: { scheduler: { config: { b: 2 } } }', { provided });
    assert.deepEqual(compiled.kernels.at(-1)!.config, { a: 1, b: 2 });
    assert.deepEqual(compiled.kernels[0]!.config, {});
  });

  test('--only keeps a kernel and everything it needs', () => {
    assert.deepEqual(idsOf(plan('', { only: ['librarian'] })), ['message_bus', 'memory_fusion', 'librarian']);
    assert.throws(() => plan('', { only: ['libarian'] }), { code: 'USAGE', message: /did you mean "librarian"/ });
    assert.throws(() => plan('kernels: { scheduler: { enabled: false } }', { only: ['scheduler'] }), /switched off/);
  });

  test('times that cannot be kept are refused', () => {
    assert.throws(
      () => plan('kernels: { scheduler: { heartbeat: 1s } }'),
      /late_after: expected more than the heartbeat/,
    );
    assert.throws(
      () => plan('kernels: { scheduler: { hung_after: 200 } }'),
      /hung_after: expected at least late_after/,
    );
    assert.throws(() => plan('kernels: { scheduler: { restart: { backoff: 1m } } }'), /backoff_max: expected at least/);
  });

  test('an id twice in the catalogue is refused', () => {
    assert.throws(() => plan('', { catalogue: [manifest('a'), manifest('a')] }), /"a" twice/);
  });

  test('needs that only point backwards always compile; one edge that closes a circle never does', () => {
    const graph = fc.array(fc.array(fc.nat(), { maxLength: 4 }), { minLength: 2, maxLength: 12 });
    fc.assert(
      fc.property(graph, fc.nat(), (edges, pick) => {
        const kernels = edges.map((targets, i) =>
          manifest(`k${i}`, i === 0 ? [] : [...new Set(targets.map((target) => `k${target % i}`))]),
        );
        const compiled = plan('', { catalogue: kernels });
        assert.equal(compiled.kernels.length, kernels.length);

        const last = kernels.at(-1)!;
        const below = [...withNeeds(kernels, [last.id])];
        const victim = below[pick % below.length]!;
        const closed = kernels.map((k) => (k.id === victim ? { ...k, needs: [...k.needs, last.id] } : k));
        assert.throws(() => plan('', { catalogue: closed }), { code: 'NEEDS_CYCLE' });
      }),
    );
  });

  test('what --only keeps needs nothing outside of it', () => {
    const graph = fc.array(fc.array(fc.nat(), { maxLength: 3 }), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(graph, fc.nat(), (edges, pick) => {
        const kernels = edges.map((targets, i) => manifest(`k${i}`, i === 0 ? [] : targets.map((t) => `k${t % i}`)));
        const only = kernels[pick % kernels.length]!.id;
        const kept = idsOf(plan('', { catalogue: kernels, only: [only] }));
        assert.ok(kept.includes(only));
        for (const { id, needs } of kernels)
          if (kept.includes(id)) for (const need of needs) assert.ok(kept.includes(need));
      }),
    );
  });
});

describe('memory that is not there', () => {
  const GiB = 1024 ** 3;

  test('more than the machine has is refused where it stands', () => {
    for (const [yaml, message] of [
      [
        'settings: { cell_memory: 9GiB }',
        /^\/app\/grace\.yaml:1:26: settings\.cell_memory: expected at most the memory of this machine, 8192MiB, got 9216MiB$/,
      ],
      [
        'kernels: { librarian: { limits: { heap: 9GiB } } }',
        /^\/app\/grace\.yaml:1:41: kernels\.librarian\.limits\.heap: expected at most the memory of this machine, 8192MiB/,
      ],
      [
        'kernels: { librarian: { limits: { off_heap: 9GiB } } }',
        /limits\.off_heap: expected at most the memory of this machine/,
      ],
    ] as const) {
      assert.throws(() => plan(yaml), { code: 'CONFIG_INVALID', message });
    }
  });

  test('a thread may not be promised more than its host process', () => {
    assert.throws(
      () => plan('kernels: { librarian: { limits: { heap: 3GiB } } }'),
      /settings\.cell_memory.*2048MiB, got 3072MiB/,
    );
    const roomy = plan('{ settings: { cell_memory: 4GiB }, kernels: { librarian: { limits: { heap: 3GiB } } } }');
    assert.equal(roomy.settings.cellMemoryBytes, 4 * GiB);
  });

  test('on a small machine a host process may have all of it, unless somebody says so', () => {
    assert.equal(plan('', { memoryBytes: GiB }).settings.cellMemoryBytes, GiB);
    assert.equal(plan('settings: { cell_memory: 512MiB }', { memoryBytes: GiB }).settings.cellMemoryBytes, GiB / 2);
  });
});
