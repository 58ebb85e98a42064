import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { connectControl } from '@grace/control';
import { poll } from '@grace/testkit';
import { Bench, root } from './command.ts';

interface Document {
  exit: { code: number; reason: string };
  waves: { trials: { scenario: string; variant: string; verdict: string; reasons: string[] }[] }[];
}

// The oracle is tested too: a laboratory that cannot say broken has nothing to say.
describe('the laboratory', () => {
  let bench: Bench;
  beforeEach(() => {
    bench = new Bench();
  });
  afterEach(() => bench.clear());

  const stressWithout = async (
    safeguard: string,
    scenario: string,
    variant: string,
  ): Promise<{ code: number | null; document: Document; markdown: string }> => {
    writeFileSync(join(bench.cwd, 'grace.yaml'), `safeguards: { ${safeguard}: false }\n`);
    const file = join(bench.cwd, `${scenario}.yaml`);
    writeFileSync(file, withVariant(readFileSync(join(root, `configs/scenarios/${scenario}.yaml`), 'utf8'), variant));
    const { code, stdout, stderr } = await bench.run('stress', '--waves', '1', '--scenarios', file, '--json');
    assert.notEqual(stdout, '', stderr);
    const folder = join(bench.cwd, 'stress-reports', readdirSync(join(bench.cwd, 'stress-reports'))[0]!);
    return {
      code,
      document: JSON.parse(stdout) as Document,
      markdown: readFileSync(join(folder, 'report.md'), 'utf8'),
    };
  };

  const broken = (document: Document): Document['waves'][number]['trials'] =>
    document.waves.flatMap((wave) => wave.trials).filter((trial) => trial.verdict === 'broken');

  test('says broken, and why, when nobody looks at heartbeats', async () => {
    const { code, document, markdown } = await stressWithout('heartbeat_detector', 'S01_heartbeat_pause', 'pause');
    assert.equal(code, 1, document.exit.reason);
    const [trial] = broken(document);
    assert.match(trial!.reasons.join('\n'), /Not noticed by heartbeat/);
    assert.match(markdown, /BROKEN/);
    assert.match(markdown, /heartbeat/i);
  });

  test('says broken, and why, when nobody is muted', async () => {
    const { code, document } = await stressWithout('mute', 'S02_acl_spam', 'count');
    assert.equal(code, 1, document.exit.reason);
    assert.match(broken(document)[0]!.reasons.join('\n'), /muted/);
  });

  test('says broken, and why, when nothing is restarted', async () => {
    const { code, document } = await stressWithout('restart_engine', 'S04_kernel_crash', 'uncaught_throw');
    assert.equal(code, 1, document.exit.reason);
    assert.match(broken(document)[0]!.reasons.join('\n'), /Not recovered/);
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

/** A built-in scenario with one of its variants alone: what is to be seen broken here needs no others. */
function withVariant(text: string, id: string): string {
  const [head, ...variants] = text.split(/\n(?= {2}- id: )/);
  const chosen = variants.filter((one) => one.startsWith(`  - id: ${id}\n`));
  assert.equal(chosen.length, 1, `${id} in ${text.slice(0, 80)}`);
  return `${head}\n${chosen[0]}\n`;
}

function isRunner(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('runner.js');
  } catch {
    return false;
  }
}
