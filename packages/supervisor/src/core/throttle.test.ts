import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { manifestOf, World } from '../../test/world.ts';

const EVERY_MS = 250;

/** A kernel that burns a core for `forMs`, and has something of others under way for `served` of that time. */
function burn(world: World, forMs: number, served: number, from = { cpuMs: 1000, servedMs: 0 }) {
  const at = { ...from };
  for (let ms = 0; ms < forMs; ms += EVERY_MS) {
    world.run(EVERY_MS);
    at.cpuMs += EVERY_MS;
    at.servedMs += EVERY_MS * served;
    const { cap } = world.state.kernels['far']!;
    world.sample('two', [{ kernel: 'far', elu: 0.99, ...at, cap }]);
  }
  return at;
}

const booted = (): World => new World([manifestOf('near'), manifestOf('far', { cell: 'two' })]).boot().run(1000);
const limits = (world: World) => world.records('kernel:limit').map(({ data }) => [data.cpu, data.why]);
const incidents = (world: World) => world.records('incident:open').map(({ data }) => data.incident.kind);

describe('a kernel that uses a whole core', () => {
  test('is held back when it does so for itself', () => {
    const world = booted();
    burn(world, 5000, 0.1);
    assert.deepEqual(limits(world), [[0.5, 'overload']]);
    assert.deepEqual(incidents(world), ['cpu_overload']);
  });

  test('is named, and not held back, while it serves others with it', () => {
    const world = booted();
    burn(world, 8000, 0.95);
    assert.deepEqual(limits(world), []);
    assert.deepEqual(incidents(world), ['cpu_overload']);
    const [fired] = world.records('detector:fire');
    assert.equal(fired?.data.evidence['servedShare'], 0.95);
  });

  test('is held back once it serves nobody any more', () => {
    const world = booted();
    const at = burn(world, 5000, 0.95);
    burn(world, 5000, 0, at);
    assert.deepEqual(limits(world), [[0.5, 'overload']]);
  });

  for (const [served, held] of [
    [0.1, [[0.5, 'overload']]],
    [0.95, []],
  ] as const)
    test(`and gets half of one on a full machine is ${held.length === 0 ? 'left alone while it serves' : 'held back'}`, () => {
      const world = booted();
      const at = { cpuMs: 1000, servedMs: 0 };
      for (let ms = 0; ms < 8000; ms += EVERY_MS) {
        world.run(EVERY_MS);
        world.emit({ t: 'machine', busy: 1, lagMs: 0 });
        at.cpuMs += EVERY_MS * 0.5;
        at.servedMs += EVERY_MS * served;
        world.sample('two', [{ kernel: 'far', elu: 0.99, ...at, cap: world.state.kernels['far']!.cap }]);
      }
      assert.deepEqual(limits(world), held);
    });
});
