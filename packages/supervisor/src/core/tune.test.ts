import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { completeManifest, MANIFEST_DEFAULTS, TUNABLE, type TunableKnob } from '@grace/contracts';
import fc from 'fast-check';
import { manifestOf, World } from '../../test/world.ts';
import { tuned, tunedValue, tuneProblem } from './tune.ts';

const manifest = completeManifest({ id: 'a', title: 'a', cell: 'c' }, { module: '/a.js', builtin: false });
const knobs = Object.keys(TUNABLE) as TunableKnob[];

describe('a value of a running kernel', () => {
  test('is replaced alone, and what was there goes back', () => {
    fc.assert(
      fc.property(fc.constantFrom(...knobs), fc.integer({ min: 1, max: 100_000 }), (knob, value) => {
        const other = tuned(manifest, knob, value);
        assert.equal(tunedValue(other, knob), value);
        for (const rest of knobs) if (rest !== knob) assert.equal(tunedValue(other, rest), tunedValue(manifest, rest));
        assert.deepEqual(tuned(other, knob, tunedValue(manifest, knob)), manifest);
      }),
    );
  });

  test('is taken within its bounds alone, and never so that a kernel is hung before it is late', () => {
    fc.assert(
      fc.property(fc.constantFrom(...knobs), fc.double({ noNaN: false }), (knob, value) => {
        const { min, max } = TUNABLE[knob];
        if (tuneProblem(manifest, knob, value) === undefined)
          assert.ok(Number.isInteger(value) && value >= min && value <= max);
      }),
    );
    assert.equal(tuneProblem(manifest, 'hungAfterMs', 600), undefined);
    assert.match(tuneProblem({ ...manifest, lateAfterMs: 700 }, 'hungAfterMs', 600)!, /from 700 to 5000/);
    const patient = { ...manifest, restart: { ...manifest.restart, backoffMs: 900 } };
    assert.match(tuneProblem(patient, 'restart.backoffMaxMs', 800)!, /from 900/);
  });

  test('acts from then on, is on record with who asked, and comes back with no boot; what is out of bounds changes nothing', () => {
    const world = new World([manifestOf('one')]).boot().run(1000);
    const asked = (ms: number): number => {
      const from = world.now;
      world.run(ms);
      return world.commands.filter(({ at, command }) => at > from && command.do === 'probe').length;
    };
    const before = asked(20_000);
    world.emit({ t: 'tune', kernel: 'one', knob: 'probe.intervalMs', value: 1000, by: 'tester', reason: 'to see' });
    const after = asked(20_000);
    assert.ok(before <= 5 && after >= 15, `${before} probes before, ${after} after`);
    world.emit({ t: 'tune', kernel: 'one', knob: 'probe.intervalMs', value: 1, by: 'tester', reason: 'to break' });
    assert.equal(world.state.kernels['one']!.manifest.probe.intervalMs, 1000);
    const data = { knob: 'probe.intervalMs', from: 5000, to: 1000, by: 'tester', reason: 'to see' };
    assert.deepEqual(
      world.records('kernel:tune').map((record) => record.data),
      [data],
    );
  });

  test('may be what it is without anybody doing anything', () => {
    for (const knob of knobs) assert.equal(tuneProblem(manifest, knob, tunedValue(manifest, knob)), undefined, knob);
    assert.equal(MANIFEST_DEFAULTS.hungAfterMs, 400);
  });
});
