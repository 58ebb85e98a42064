import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { GraceError } from '@grace/contracts';
import { connectControl } from '@grace/control';
import { bootSystem, poll, type System } from '@grace/testkit';

const NIGHT = `@id("no_drills_at_night") forbid (principal, action == Action::"inject_faults", resource);
@id("scheduler_is_looked_after") forbid (principal, action == Action::"run_playbook", resource) when { context.target == "scheduler" } unless { context.approved };`;

interface Answer {
  id: string;
  outcome: string;
  approval?: { id: string };
}

describe('governance in a whole system', () => {
  const policies = mkdtempSync(join(tmpdir(), 'grace-policies-'));
  let system: System;
  before(async () => {
    writeFileSync(join(policies, 'mine.cedar'), NIGHT);
    system = await bootSystem({
      armed: true,
      args: ['--only', 'governance,self_healing,scheduler,immutable_log'],
      config: { kernels: { governance: { config: { policies } } } },
    });
    assert.equal(system.booted.code, 0, system.booted.stderr);
  });
  after(async () => {
    await system.stop();
    rmSync(policies, { recursive: true, force: true });
  });

  /** As the kernel coding_agent would, which is not there to ask. */
  const ask = async (verb: string, input: unknown): Promise<Answer> => {
    const call = { kernel: 'governance', verb, input, from: 'coding_agent' };
    return (await system.client.request('call', call, 30_000)) as Answer;
  };

  test('a playbook that needs an approval waits for one by the command line, and then runs', async () => {
    const run = () =>
      system.call<{ outcome: string; detail: string }>('self_healing', 'run', {
        playbook: 'kernel_heartbeat_gap',
        target: 'scheduler',
      });
    assert.match((await run()).detail, /^APPROVAL_NEEDED: forbidden without approval by scheduler_is_looked_after/);
    const { stdout } = await system.grace('approvals', 'list', '--state', 'pending', '--json');
    const [{ id }] = JSON.parse(stdout) as [{ id: string }];
    const approved = await system.grace('approvals', 'approve', id, '--note', 'seen');
    assert.match(approved.stdout, /^approved apr-/, approved.stderr);
    assert.equal((await run()).outcome, 'healed');
    const again = await system.grace('approvals', 'approve', id);
    assert.notEqual(again.code, 0);
    assert.match(again.stderr, /CONFLICT: request .* is used/);
  });

  test('a drill that policies forbid is stopped before anything is injected, and says by which', async () => {
    const runner = await connectControl(system.home, { role: 'runner', name: 'test' });
    try {
      const wish = { holder: 'run 7', faults: ['cpu_spin' as const], durationMs: 60_000 };
      await assert.rejects(runner.request('drill.permit', wish), (error: GraceError) => {
        assert.equal(error.code, 'NO_PERMIT');
        assert.match(error.message, /^governance forbids the drill: .*forbidden by no_drills_at_night/);
        return true;
      });
    } finally {
      runner.close();
    }
    assert.deepEqual(await system.journal('fault:inject'), []);
  });

  test('an altered file is put back and its process killed in the middle loses nothing', async () => {
    const file = join(system.home, 'state/governance/in-force/settings.yaml');
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.replace('approval_required: true', 'approval_required: false'));
    await poll('the file as it was', () => readFileSync(file, 'utf8') === text);
    const drift = await poll('the event', async () => (await system.journal('governance:drift'))[0]);
    assert.deepEqual([drift.data.file, drift.data.restored], ['settings.yaml', true]);

    const question = {
      action: 'apply_change',
      resource: 'task-9',
      context: { files: ['a.ts'] },
    };
    const asked = await ask('request', question);
    assert.equal(asked.outcome, 'needs_approval');
    const { incarnation } = await system.kernel('governance');
    const pending = Array.from({ length: 20 }, (_, i) =>
      ask('decide', { ...question, resource: `task-${i}` }).catch(() => null),
    );
    process.kill(await system.cellPid('core'), 'SIGKILL');
    const answered = (await Promise.all(pending)).filter((answer) => answer !== null);
    await system.back('governance', incarnation);
    for (const { id } of [asked, ...answered]) {
      assert.equal((await system.call<unknown[]>('governance', 'decisions', { id })).length, 1);
    }
    const again = await ask('request', question);
    assert.equal(again.approval?.id, asked.approval?.id);
  });
});
