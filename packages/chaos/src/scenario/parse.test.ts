import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { explainScenario } from './explain.ts';
import { listScenarios } from './list.ts';
import { parseScenario } from './parse.ts';
import { inSystem, type Scenario } from './scenario.ts';

const folder = join(import.meta.dirname, '../../../../configs/scenarios');
const text = readFileSync(join(folder, 'S04_kernel_crash.yaml'), 'utf8');
const parse = (changed: string) => parseScenario(changed, 'configs/S04_kernel_crash.yaml');

describe('a scenario file', () => {
  test('every built-in scenario is valid and can be explained', () => {
    const scenarios = listScenarios(folder);
    assert.deepEqual(
      scenarios.map(({ id }) => id),
      [
        'S01_heartbeat_pause',
        'S02_acl_spam',
        'S03_cpu_spike',
        'S04_kernel_crash',
        'S05_kernel_hang',
        'S06_topic_flood',
        'S07_memory_leak',
        'S10_log_corruption',
      ],
    );
    for (const scenario of scenarios) {
      const explained = explainScenario(scenario);
      for (const { id, checks } of scenario.variants) {
        assert.ok(explained.includes(`  ${id}: `));
        for (const { name } of checks) assert.ok(explained.includes(name));
      }
    }
  });

  test('times are read with their units and defaults are filled in', () => {
    const [variant] = parse(text).variants;
    assert.equal(variant!.durationMs, 5000);
    assert.equal(variant!.expect.recoverWithinMs, 2000);
    assert.equal(variant!.expect.latencyFactor, 3);
    assert.deepEqual(variant!.observe, ['trigger_mesh']);
  });

  test('a fault of a host process reaches whoever shares it in this system, and nobody else', () => {
    const kernels = [
      { id: 'trigger_mesh', cell: 'edge' },
      { id: 'newcomer', cell: 'edge' },
      { id: 'librarian', cell: 'work' },
    ];
    const whole = (scenario: Scenario, id: string) => scenario.variants.find((variant) => variant.id === id)!;
    const crash = inSystem(parse(text), kernels);
    assert.deepEqual(whole(crash, 'segmentation_fault').expect.mayRestart, ['trigger_mesh', 'newcomer']);
    assert.deepEqual(whole(crash, 'segmentation_fault').observe, ['trigger_mesh', 'newcomer']);
    assert.deepEqual(whole(crash, 'uncaught_throw').expect.mayRestart, ['trigger_mesh']);
  });

  const refused: [string, string, string, RegExp][] = [
    [
      'an unknown check',
      '- restarted_once',
      '- restarted_onze',
      /S04_kernel_crash\.yaml:\d+:\d+: .*got restarted_onze \(did you mean "restarted_once"\?\)/,
    ],
    [
      'an unknown key',
      'detect_within',
      'detect_whitin',
      /unknown key "detect_whitin" \(did you mean "detect_within"\?\)/,
    ],
    ['a whole cell of nobody', 'does: scheduler', 'whole_cell: maybe\n    does: scheduler', /whole_cell/],
    ['an unknown fault', 'fault: process_exit', 'fault: proces_exit', /did you mean "process_exit"/],
    [
      'a target that the fault cannot have',
      'target: { kernel: scheduler }',
      'target: { machine: true }',
      /expected kernel as the target of process_exit/,
    ],
    ['a duration that is none', 'duration: 5s', 'duration: soon', /expected a duration/],
    [
      'a single recovery method',
      'recovered_by: [probe, heartbeat, workload]',
      'recovered_by: [probe, probe]',
      /at least two different methods/,
    ],
    [
      'a check without its value',
      '- incident_opened: kernel_crash',
      '- incident_opened',
      /expected incident_opened: the kind of the incident/,
    ],
    [
      'another id than its name',
      'id: S04_kernel_crash',
      'id: S04_crash',
      /expected the name of the file, S04_kernel_crash/,
    ],
    [
      'a parameter of a fault that takes none',
      'fault: process_exit',
      'fault: process_exit\n    params: { code: 1 }',
      /process_exit takes no parameters, not code/,
    ],
    [
      'a parameter that the fault does not know',
      'fault: process_exit',
      'fault: heap_leak\n    params: { maxByte: 1 }',
      /heap_leak takes bytesPerSecond, maxBytes, not maxByte \(did you mean "maxBytes"\?\)/,
    ],
    ['a variant twice', 'id: process_exit', 'id: uncaught_throw', /each id once, got uncaught_throw again/],
  ];
  for (const [what, from, to, message] of refused) {
    test(`${what} is refused with file and line`, () => {
      assert.ok(text.includes(from));
      assert.throws(() => parse(text.replace(from, to)), { code: 'SCENARIO_INVALID', message });
    });
  }

  test('a folder that is not there is said to be unreadable', () => {
    assert.throws(() => listScenarios('/nowhere/scenarios'), { code: 'CONFIG_UNREADABLE' });
  });
});
