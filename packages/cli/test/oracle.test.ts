import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { connectControl } from '@grace/control';
import { poll } from '@grace/testkit';
import { Bench, root } from './command.ts';
import { type StressDocument, verdictsOf } from './verdicts.ts';

// The oracle is tested too: a laboratory that cannot say broken has nothing to say.
describe('the laboratory', () => {
  let bench: Bench;
  beforeEach(() => {
    bench = new Bench();
  });
  afterEach(() => bench.clear());

  /** Runs one variant of each scenario while these safeguards are off. */
  const stressWithout = async (
    safeguards: readonly string[],
    variants: Record<string, string>,
  ): Promise<{ code: number | null; document: StressDocument; markdown: string }> => {
    const off = safeguards.map((safeguard) => `${safeguard}: false`);
    writeFileSync(join(bench.cwd, 'grace.yaml'), `safeguards: { ${off.join(', ')} }\n`);
    const files = Object.entries(variants).map(([scenario, variant]) => {
      const file = join(bench.cwd, `${scenario}.yaml`);
      writeFileSync(file, withVariant(readFileSync(join(root, `configs/scenarios/${scenario}.yaml`), 'utf8'), variant));
      return file;
    });
    const { code, stdout, stderr } = await bench.run(
      'stress',
      ...['--waves', '1', '--scenarios', files.join(','), '--json'],
    );
    assert.notEqual(stdout, '', stderr);
    const folder = join(bench.cwd, 'stress-reports', readdirSync(join(bench.cwd, 'stress-reports'))[0]!);
    return {
      code,
      document: JSON.parse(stdout) as StressDocument,
      markdown: readFileSync(join(folder, 'report.md'), 'utf8'),
    };
  };

  /** Why the trial of a scenario is called broken. */
  const whyBroken = (document: StressDocument, scenario: string): string => {
    const trials = document.waves.flatMap((wave) => wave.trials).filter((trial) => trial.scenario.startsWith(scenario));
    assert.deepEqual(
      trials.map(({ verdict }) => verdict),
      ['broken'],
      verdictsOf(document),
    );
    return trials[0]!.reasons.join('\n');
  };

  test('says broken, and why, when nobody looks at heartbeats, and when nobody is muted', async () => {
    const { code, document, markdown } = await stressWithout(['heartbeat_detector', 'mute'], {
      S01_heartbeat_pause: 'pause',
      S02_acl_spam: 'count',
    });
    assert.equal(code, 1, verdictsOf(document));
    const [late, loud] = [whyBroken(document, 'S01'), whyBroken(document, 'S02')];
    assert.match(late, /Not noticed by heartbeat/);
    assert.doesNotMatch(late, /muted/);
    assert.match(loud, /muted/);
    assert.doesNotMatch(loud, /Not noticed by heartbeat/);
    assert.match(markdown, /BROKEN/);
    assert.match(markdown, /heartbeat/i);
  });

  test('says broken, and why, when nothing is restarted', async () => {
    const { code, document } = await stressWithout(['restart_engine'], { S04_kernel_crash: 'uncaught_throw' });
    assert.equal(code, 1, verdictsOf(document));
    assert.match(whyBroken(document, 'S04'), /Not recovered/);
  });

  test('killed in the middle of a fault, leaves a system without faults', async () => {
    assert.equal((await bench.run('boot', '--armed', '--detach')).code, 0);
    const client = await connectControl(bench.home, { role: 'client', name: 'test' });
    try {
      const run = bench.start('stress', '--attach', '--scenarios', 'S01');
      const held = () => client.request('fault.list', {});
      await poll('the fault is held', async () => (await held()).length > 0, { deadlineMs: 60_000 });
      run.child.kill('SIGKILL');
      const runner = bench.processes();
      // The runner is a child of the command; its end is what the leases must survive.
      const { pid } = (await client.request('status', {})).system;
      for (const process_ of runner) if (isRunner(process_)) process.kill(process_, 'SIGKILL');
      await run.ended;
      await poll('the fault has ended by itself', async () => (await held()).length === 0);
      await poll('the heartbeat is back', async () => {
        const { kernels } = await client.request('status', {});
        return kernels.every((kernel) => kernel.state === 'running' && (kernel.heartbeatAgeMs ?? 1e9) < 1000);
      });
      const { kernels, system } = await client.request('status', {});
      assert.equal(system.pid, pid);
      assert.ok(
        kernels.every((kernel) => kernel.restarts === 0),
        'nobody was restarted',
      );
    } finally {
      client.close();
      await bench.run('stop');
    }
    assert.deepEqual(bench.processes(), []);
  });
});

/** A built-in scenario in the first wave and with one of its variants alone: what is to be seen broken here needs no others. */
function withVariant(text: string, id: string): string {
  const [head, ...variants] = text.split(/\n(?= {2}- id: )/);
  const chosen = variants.filter((one) => one.startsWith(`  - id: ${id}\n`));
  assert.equal(chosen.length, 1, `${id} in ${text.slice(0, 80)}`);
  return `${head!.replace(/^wave: \d+$/m, 'wave: 1')}\n${chosen[0]}\n`;
}

function isRunner(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('runner.js');
  } catch {
    return false;
  }
}
