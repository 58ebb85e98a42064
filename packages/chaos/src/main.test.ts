import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, test } from 'node:test';
import { createBroker } from '@grace/bus/broker';
import { signBusToken } from '@grace/control';
import { type StandIn, standIn, statusOf } from '../test/control-stand-in.ts';
import type { RunnerOptions } from './options.ts';
import type { Progress } from './progress.ts';

const SCENARIO = `
id: S90_flood
title: A short flood
severity: low
wave: 1
proves: what the runner does
objective: none
variants:
  - id: short
    does: a few messages that are refused
    fault: acl_spam
    target: { principal: chaos_test }
    params: { subject: system.control.restart, messages: 300 }
    duration: 60s
    observe: [scheduler]
    expect: { detected_by: [bus_counter], detect_within: 2s, recover_within: 20s, recovered_by: [probe, heartbeat] }
    checks: [nobody_restarted, nothing_accepted]
`;

interface Runner {
  progress: Progress[];
  interrupt(): void;
  ended: Promise<number | null>;
}

function startRunner(
  options: Partial<RunnerOptions>,
  onProgress: (progress: Progress, runner: Runner) => void = () => {},
): Runner {
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', join(import.meta.dirname, 'main.ts'), JSON.stringify(options)],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  const progress: Progress[] = [];
  const runner: Runner = {
    progress,
    interrupt: () => void child.kill('SIGINT'),
    ended: new Promise((resolve) => child.once('close', resolve)),
  };
  createInterface({ input: child.stdout }).on('line', (line) => {
    progress.push(JSON.parse(line));
    onProgress(progress.at(-1)!, runner);
  });
  return runner;
}

/** A healthy system of one kernel that notices nothing, with a real bus. */
async function withSystem(test: (system: StandIn, options: RunnerOptions) => Promise<void>): Promise<void> {
  const key = new Uint8Array(32).fill(7);
  const ticks = { allow: ['workload.>', 'task.workload.>'], deny: [] };
  const broker = createBroker({
    acl: {
      kernels: { publish: { allow: [], deny: [] }, subscribe: { allow: [], deny: [] } },
      principals: { workload: { publish: ticks, subscribe: ticks } },
    },
    mute: { enabled: true, threshold: 200, windowMs: 1000, periodMs: 2000, periodMaxMs: 60_000 },
    maxPayloadBytes: 1e6,
  });
  const system = await standIn({
    status: () => {
      const status = statusOf([{ id: 'scheduler' }]);
      return { ...status, bus: { ...status.bus, denied: broker.statistics().denied } };
    },
    ready: () => ({ ready: 1, total: 1, ms: 1, failed: [] }),
    probe: () => ({ ok: true, ms: 1, detail: {} }),
    call: () => ({}),
    'drill.permit': ({ holder, faults }) => ({ id: 'p1', holder, faults, untilMono: 1e15, issuer: 'test' }),
    'drill.revoke': () => ({}),
    'fault.undo': () => ({ verified: true }),
    'bus.token': ({ principal }) => ({
      socket,
      token: signBusToken({ principal, incarnation: 1, messagesPerSecond: 1e5, kernel: false }, key),
    }),
  });
  const socket = join(system.home, 'run', 'bus.sock');
  await broker.listen(socket, key);
  const scenario = join(system.home, 'S90_flood.yaml');
  writeFileSync(scenario, SCENARIO);
  try {
    await test(system, {
      home: system.home,
      run: 'r1',
      seed: 1,
      waves: 1,
      trials: 1,
      scenarios: [scenario],
      actorEntry: join(import.meta.dirname, 'actors/main.ts'),
      command: 'grace stress --seed 1',
      attach: false,
      commit: null,
      dirty: null,
    });
  } finally {
    await broker.close();
    await system.close();
  }
}

const errorOf = ({ progress }: Runner): string | undefined =>
  progress.map((line) => (line.t === 'error' ? line.error.code : undefined)).find((code) => code !== undefined);

describe('the runner', { concurrency: 2 }, () => {
  test('a system that notices nothing is broken, and the fault is gone', async () => {
    await withSystem(async (system, options) => {
      const runner = startRunner(options);
      const code = await runner.ended;
      const verdict = runner.progress.find((line) => line.t === 'verdict');
      assert.equal(code, 1, JSON.stringify(runner.progress.at(-1)));
      assert.equal(verdict?.verdict, 'broken');
      assert.ok(
        verdict.reasons.some((reason) => /Not noticed by bus_counter/.test(reason)),
        verdict.reasons.join('\n'),
      );
      const names = system.journal.map(({ name }) => name).filter((name) => !/observe|sample/.test(name));
      assert.deepEqual(names, [
        'run:start',
        'wave:start',
        'steady:check',
        'trial:start',
        'fault:lease',
        'fault:inject',
        'fault:effect',
        'fault:undo',
        'trial:check',
        'trial:check',
        'trial:check',
        'trial:end',
        'steady:check',
        'wave:end',
        'run:end',
      ]);
      const samples = system.journal.filter(({ name }) => name === 'workload:sample');
      assert.ok(samples.length >= 3, 'the workload is sampled before, during and after');
    });
  });

  test('Ctrl-C in the middle of a fault undoes it, records the end of the run and exits with 130', async () => {
    await withSystem(async (system, options) => {
      writeFileSync(options.scenarios[0]!, SCENARIO.replace(', messages: 300', ''));
      const runner = startRunner(options, (line, self) => {
        if (line.t === 'trial' && line.phase === 'acting') self.interrupt();
      });
      assert.equal(await runner.ended, 130, JSON.stringify(runner.progress.at(-1)));
      const end = system.journal.find(({ name }) => name === 'run:end');
      assert.ok(end?.name === 'run:end');
      const { runnerLagMsMax: _, conservation, ...rest } = end.data;
      assert.deepEqual(rest, { interrupted: true, cleanup: { ok: true, left: [] } });
      // The stand-in has no broker that could be asked; the workload's own account is whole all the same.
      assert.deepEqual([conservation?.broker, conservation?.durable?.lost], [null, 0]);
      assert.ok(!system.journal.some(({ name }) => name === 'trial:end'));
    });
  });

  test('a fault that somebody still holds at the end is cleanup incomplete', async () => {
    await withSystem(async (system, options) => {
      let isHeld = false;
      system.answers['fault.list'] = () =>
        isHeld ? [{ id: 'r1.w1.x', kind: 'cpu_spin', target: 'scheduler', untilMono: 1 }] : [];
      const runner = startRunner(options, (line) => {
        if (line.t === 'verdict') isHeld = true;
      });
      assert.equal(await runner.ended, 3, JSON.stringify(runner.progress.at(-1)));
    });
  });

  test('a wave is not started on a system that is not in its steady state, and nothing is concluded', async () => {
    await withSystem(async (system, options) => {
      system.answers.status = () => statusOf([{ id: 'scheduler', state: 'failed' }]);
      const runner = startRunner(options);
      assert.equal(await runner.ended, 2, JSON.stringify(runner.progress.at(-1)));
      const skip = system.journal.find(({ name }) => name === 'wave:skip');
      assert.match(skip?.name === 'wave:skip' ? skip.data.reason : '', /kernels_running \(scheduler failed\)/);
      assert.ok(!system.journal.some(({ name }) => name === 'fault:lease'));
    });
  });

  test('options that make no sense, no system and a system that is not armed are usage errors', async () => {
    const nonsense = startRunner({ home: 'relative' });
    assert.equal(await nonsense.ended, 64);
    assert.equal(errorOf(nonsense), 'USAGE');
    await withSystem(async (system, options) => {
      const nobody = startRunner({ ...options, home: join(system.home, 'nowhere') });
      assert.equal(await nobody.ended, 64);
      assert.equal(errorOf(nobody), 'NOT_RUNNING');
      system.answers.hello = () => ({ pid: 1, version: '0', armed: false });
      const unarmed = startRunner(options);
      assert.equal(await unarmed.ended, 64);
      assert.equal(errorOf(unarmed), 'NOT_ARMED');
    });
  });
});
