import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { groupHold } from '../src/cell/limits/group-hold.ts';
import type { OwnGroups } from '../src/machine/control-groups/own-groups.ts';
import { type ProbeParts, probeLimits } from '../src/machine/control-groups/probe.ts';
import { groupName, ownerName } from '../src/machine/control-groups/sweep.ts';
import { openSystemGroups } from '../src/machine/control-groups/system-groups.ts';
import { UnifiedTree } from './unified-tree.ts';

const POINT = '/sys/fs/cgroup';
const HOME = '/var/lib/grace';
const GiB = 1024 ** 3;
/** Supervisor and its helper thread, two cells with a kernel thread each, a process that only waits. */
const SUPERVISOR = 100;
const HELPER = 101;
const CELLS = { core: { pid: 200, tid: 201 }, work: { pid: 300, tid: 301 } };
const IDLE = 400;

interface Machine {
  tree: UnifiedTree;
  parts: ProbeParts;
  own: string;
}

/** A machine with v2 alone, in which the supervisor and its cells are in `own`. */
async function machine(controllers: string[], own: string[]): Promise<Machine> {
  const tree = new UnifiedTree(POINT, controllers);
  let group = POINT;
  for (const name of own) {
    await tree.write(join(group, 'cgroup.subtree_control'), controllers.map((one) => `+${one}`).join(' '));
    group = join(group, name);
    await tree.make(group);
  }
  tree.settle(group, SUPERVISOR, [SUPERVISOR, HELPER]);
  for (const { pid, tid } of Object.values(CELLS)) tree.settle(group, pid, [pid, tid]);
  const groups: OwnGroups = { cpu: null, memory: null, unified: group };
  return {
    tree,
    own: group,
    parts: {
      own: groups,
      files: tree,
      proof: {
        tid: () => HELPER,
        async startIdle() {
          tree.settle(group, IDLE);
          return { pid: IDLE, end: () => tree.exit(IDLE) };
        },
      },
      inspector: async () => {},
    },
  };
}

const system = groupName(HOME);
const names = (tree: UnifiedTree): string[] => tree.paths().filter((path) => path.includes('grace-'));

describe('control groups v2', () => {
  test('in a group of its own with all its processes, threads are held below it, and memory is not', async () => {
    const { tree, parts, own } = await machine(['cpu', 'memory', 'pids'], ['user.slice', 'app.scope']);
    const ground = await probeLimits(parts);
    assert.deepEqual(ground.cpu, { method: 'cgroup2', base: own, layout: 'threads' });
    assert.equal(ground.memory, null);
    assert.deepEqual(names(tree), [], 'a proof leaves nothing');
    assert.equal(tree.where(HELPER), own);

    const groups = await openSystemGroups(HOME, ground, GiB, tree);
    assert.match(groups.enforcement.memory, /hard limit: none above the watch \(EBUSY/);
    const limits = await groups.openCell('work', CELLS.work.pid);
    assert.deepEqual(limits, { method: 'cgroup2', group: join(own, system, 'work') });
    const thread = { kernel: 'librarian', incarnation: 3, tid: CELLS.work.tid };
    const hold = groupHold(limits, thread, tree, own)!;
    await hold.hold(0.2);
    assert.equal(tree.where(CELLS.work.tid), join(own, system, 'work', 'librarian.3'));
    assert.equal(await tree.read(join(hold.group, 'cpu.max')), '4000 20000');
    assert.equal(tree.where(CELLS.work.pid), own, 'the rest of the cell stays where it was');
    await hold.hold(0.5);
    assert.equal(await tree.read(join(hold.group, 'cpu.max')), '10000 20000');
    await hold.leave();
    assert.equal(tree.where(CELLS.work.tid), own);
    assert.deepEqual(await groups.remove(1000), []);
    assert.deepEqual(names(tree), []);
  });

  test('in a subgroup of a service, every cell gets a group with a memory limit, and its threads theirs inside', async () => {
    const { tree, parts } = await machine(['cpu', 'memory'], ['system.slice', 'grace.service', 'supervisor']);
    const service = join(POINT, 'system.slice', 'grace.service');
    const ground = await probeLimits(parts);
    assert.deepEqual(ground.cpu, { method: 'cgroup2', base: service, layout: 'cells' });
    assert.deepEqual(ground.memory, { version: 2, base: service });
    assert.deepEqual(names(tree), []);

    const groups = await openSystemGroups(HOME, ground, GiB, tree);
    assert.match(groups.enforcement.memory, /hard limit: control group v2 at 1280 MiB$/);
    for (const [cell, { pid, tid }] of Object.entries(CELLS)) {
      const limits = await groups.openCell(cell, pid);
      assert.deepEqual(limits, { method: 'cgroup2', group: join(service, system, cell) });
      assert.equal(tree.where(pid), limits.group);
      assert.equal(await tree.read(join(limits.group!, 'memory.max')), String(1.25 * GiB));
      const hold = groupHold(limits, { kernel: 'k', incarnation: 1, tid }, tree, limits.group)!;
      await hold.hold(0.05);
      assert.equal(tree.where(tid), join(limits.group!, 'k.1'));
      assert.equal(await tree.read(join(hold.group, 'cpu.max')), '1000 20000');
    }
    assert.equal((await groups.remove(0)).length, 5, 'what holds tasks stays, and is named');
    for (const { pid } of Object.values(CELLS)) tree.exit(pid);
    assert.deepEqual(await groups.remove(1000), []);
    assert.deepEqual(names(tree), []);
  });

  test('in the root group of a machine, everything is possible', async () => {
    const { tree, parts } = await machine(['cpu', 'memory'], []);
    const ground = await probeLimits(parts);
    assert.deepEqual(ground.cpu, { method: 'cgroup2', base: POINT, layout: 'cells' });
    assert.equal(tree.where(SUPERVISOR), POINT);
  });

  test('without a cpu controller, or beside groups with processes of others, the next method is taken and the reason kept', async () => {
    const bare = await machine([], []);
    const ground = await probeLimits(bare.parts);
    assert.equal(ground.method, 'inspector');
    assert.equal(ground.refused.cgroup2, `${POINT} has no cpu controller`);
    assert.match(ground.refused.cgroup1!, /no v1 cpu group/);

    const crowded = await machine(['cpu', 'memory'], ['a.slice']);
    await crowded.tree.make(join(crowded.own, 'other.service'));
    crowded.tree.settle(join(crowded.own, 'other.service'), 900);
    assert.equal((await probeLimits(crowded.parts)).method, 'inspector');
    assert.deepEqual(names(crowded.tree), []);
  });

  test('with no inspector either, nothing is claimed', async () => {
    const { parts } = await machine([], []);
    const ground = await probeLimits({ ...parts, inspector: () => Promise.reject(new Error('built without')) });
    assert.equal(ground.method, 'none');
    assert.equal(ground.refused.inspector, 'built without');
    const groups = await openSystemGroups(HOME, ground, GiB, parts.files);
    assert.deepEqual(await groups.openCell('work', 1), { method: 'none', group: null });
    assert.equal(groups.enforcement.cpu, 'none');
  });

  test('a group that takes a thread without holding it is no proof', async () => {
    const { tree, parts } = await machine(['cpu'], ['app.scope']);
    const { write } = tree;
    tree.write = async (path, text) => {
      if (!path.endsWith('cpu.max')) await write.call(tree, path, text);
    };
    const ground = await probeLimits(parts);
    assert.equal(ground.method, 'inspector');
    assert.match(ground.refused.cgroup2!, /holds a share of/);
  });
});

describe('groups of systems that have died', () => {
  const other = groupName('/somewhere/else');
  const dead = 'owner.1073741823.1';

  test('are removed when they hold no task; those of a live system and those with tasks stay', async () => {
    const { tree, parts, own } = await machine(['cpu'], ['app.scope']);
    const make = async (...path: string[]): Promise<void> => {
      await tree.make(join(own, ...path));
    };
    const live = groupName('/alive');
    const busy = groupName('/busy');
    await make(other);
    await make(other, dead);
    await make(other, 'work');
    await make(other, 'work', 'k.1');
    await make('grace-probe-1073741823');
    await make('grace-mine');
    await make(live);
    await make(live, ownerName());
    await make(busy);
    await make(busy, dead);
    await make(busy, 'work');
    tree.settle(join(own, busy, 'work'), 900);
    // This home's own: what a former supervisor left, with a cell that still lives.
    await make(system);
    await make(system, dead);
    await make(system, 'core');
    await make(system, 'work');
    tree.settle(join(own, system, 'work'), 901);

    await openSystemGroups(
      HOME,
      { method: 'cgroup2', cpu: { method: 'cgroup2', base: own, layout: 'threads' }, memory: null, refused: {} },
      GiB,
      tree,
    );
    const below = (name: string): string[] =>
      tree
        .paths()
        .filter((path) => path.startsWith(join(own, name)))
        .map((path) => path.slice(own.length + 1));
    assert.deepEqual(below(other), []);
    assert.deepEqual(below('grace-probe'), []);
    assert.deepEqual(below('grace-mine'), ['grace-mine'], 'a name that is not ours');
    assert.deepEqual(below(live), [live, `${live}/${ownerName()}`]);
    assert.deepEqual(below(busy), [busy, `${busy}/${dead}`, `${busy}/work`]);
    assert.deepEqual(below(system), [system, `${system}/work`, `${system}/${ownerName()}`]);
    assert.equal(parts.files, tree);
  });
});
