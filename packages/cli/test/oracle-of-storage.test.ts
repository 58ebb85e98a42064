import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { Bench, root } from './command.ts';
import { type StressDocument, type StressTrial, verdictsOf } from './verdicts.ts';

/** What S06 and S10 promise, in as little time as it takes to see it broken. */
const FLOOD = `
id: S91_flood
title: A short flood of work
severity: high
wave: 1
proves: that the laboratory sees what is not kept
objective: none
variants:
  - id: short
    does: more work than is done
    fault: topic_flood
    target: { principal: flood_test }
    params: { subject: task.code_refactor, consumer: flood_consumer, messages: 1500, perSecond: 1500, consumePerSecond: 20, catchUpPerSecond: 1000000 }
    duration: 60s
    observe: [scheduler]
    expect: { detected_by: [bus_counter], detect_within: 5s, recover_within: 30s, recovered_by: [probe, workload], latency_slack: 60s }
    checks: [accepted_handled]
`;
const DAMAGE = `
id: S92_damage
title: Damage to the record
severity: high
wave: 1
proves: that the laboratory sees what nobody notices
objective: none
variants:
  - id: flip
    does: a record is changed on the disk
    fault: log_damage
    target: { kernel: immutable_log }
    params: { damage: flip }
    duration: 4s
    expect: { detected_by: [probe], detect_within: 3s, recover_within: 30s, recovered_by: [probe, workload, metric], latency_slack: 60s }
    checks: [record_repaired: restored or sealed, record_whole]
`;

// The oracle is tested too: with the detector or the repair switched off, the scenario must come out broken.
describe('the laboratory', () => {
  let bench: Bench;
  beforeEach(() => {
    bench = new Bench();
    writeFileSync(join(bench.cwd, 'S91_flood.yaml'), FLOOD);
    writeFileSync(join(bench.cwd, 'S92_damage.yaml'), DAMAGE);
  });
  afterEach(() => bench.clear());

  const stressWith = async (config: string, scenarios: string): Promise<Map<string, StressTrial>> => {
    writeFileSync(join(bench.cwd, 'grace.yaml'), config);
    const { stdout, stderr } = await bench.run('stress', '--waves', '1', '--scenarios', scenarios, '--json');
    assert.notEqual(stdout, '', stderr);
    const document = JSON.parse(stdout) as StressDocument;
    const trials = new Map(document.waves.flatMap((wave) => wave.trials).map((trial) => [trial.scenario, trial]));
    for (const { verdict } of trials.values()) assert.equal(verdict, 'broken', verdictsOf(document));
    assert.equal(document.exit.code, 1, verdictsOf(document));
    return trials;
  };

  test('says broken, and why, when nobody looks at the record, and when nothing that waits is kept or counted', async () => {
    const off =
      'kernels: { immutable_log: { config: { lookEveryMs: 3600000 } }, message_bus: { config: { durable: false } } }\n';
    const trials = await stressWith(off, 'S91_flood.yaml,S92_damage.yaml');
    const damage = trials.get('S92_damage')!;
    assert.match(damage.reasons.join('\n'), /Not noticed by probe/);
    // What nobody repaired the laboratory has put back.
    const answers = new Map(damage.verification.map(({ check, ok }) => [check, ok]));
    assert.deepEqual([answers.get('fault_undone'), answers.get('record_whole')], [true, true]);
    assert.match(trials.get('S91_flood')!.reasons.join('\n'), /Not noticed by bus_counter/);
  });

  test('says broken, and why, when nobody repairs the record', async () => {
    const name = 'immutable_log_integrity_repair.yaml';
    const playbook = readFileSync(join(root, 'configs/playbooks', name), 'utf8');
    mkdirSync(join(bench.cwd, 'playbooks'));
    writeFileSync(join(bench.cwd, 'playbooks', name), playbook.replace('[record_damaged]', '[acl_violation]'));
    const off = 'playbooks: ./playbooks\nkernels: { immutable_log: { config: { repairGraceMs: 3600000 } } }\n';
    const trials = await stressWith(off, 'S92_damage.yaml');
    assert.match(trials.get('S92_damage')!.reasons.join('\n'), /record_repaired restored or sealed: false/);
    const [report] = readdirSync(join(bench.cwd, 'stress-reports'));
    const markdown = readFileSync(join(bench.cwd, 'stress-reports', report!, 'report.md'), 'utf8');
    assert.match(markdown, /Run grace log repair by hand/);
  });
});
