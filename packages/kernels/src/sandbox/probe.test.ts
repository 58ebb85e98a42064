import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { systemClock } from '@grace/contracts';
import { createStore, type KernelContext, type KernelStore } from '@grace/kernel-sdk';
import { createEvaluator, type Evaluator } from './evaluate/evaluator.ts';
import { createExecutor, type Executor } from './execute/executor.ts';
import { createProbe } from './probe.ts';

const folder = mkdtempSync(join(tmpdir(), 'grace-probe-'));
const evaluator = createEvaluator(1);
const executor = createExecutor(join(folder, 'runs'), true);
let store: KernelStore;
before(() => {
  store = createStore(folder);
  store.set('a', 1);
});
after(async () => {
  store.close();
  await evaluator.close();
  rmSync(folder, { recursive: true, force: true });
});

/** The probe a minute later each time it looks at the clock, so that it starts a program each time. */
function probe(parts: { evaluator?: Evaluator; executor?: Executor }): Promise<Record<string, unknown>> {
  let laterMs = 0;
  const monoMs = (): number => {
    laterMs += 60_000;
    return systemClock.monoMs() + laterMs;
  };
  const clock = { ...systemClock, monoMs };
  const ctx = { clock, store, signal: new AbortController().signal, incarnation: 1 } as unknown as KernelContext;
  return Promise.resolve(createProbe(ctx, parts.evaluator ?? evaluator, parts.executor ?? executor)());
}

/** An engine that runs something else than it was given. */
const instead = (of: RegExp, code: string): Evaluator => ({
  ...evaluator,
  evaluate: (task, signal) => evaluator.evaluate({ ...task, code: task.code.replace(of, code) }, signal),
});

test('the probe sees a right value, a loop that is ended, and a file that is refused', async () => {
  const { child, ...rest } = await probe({});
  assert.deepEqual({ ...rest, snippetsMs: 0 }, { value: 42, loop: 'ended', fileOutside: 'refused', snippetsMs: 0 });
  // On a machine too full to start a program in time it says so.
  assert.match((child as { state: string }).state, /^(refused|timeout)$/);
});

test('the probe fails when a value is wrong', () =>
  assert.rejects(probe({ evaluator: instead(/7/, '8') }), /came to ok, 48; it should be ok/));

test('the probe fails when a loop is not ended', () =>
  assert.rejects(probe({ evaluator: instead(/for .*/, '1') }), /"for \(;;\);" came to ok, 1; it should be timeout/));

test('the probe fails when a snippet gets at modules', () =>
  assert.rejects(probe({ evaluator: instead(/import.*/, "'open'") }), /came to ok, "open"/));

test('the probe fails when a program gets at a file outside its folder', () => {
  const open: Executor = {
    ...executor,
    async plan(request, id) {
      const launch = await executor.plan(request, id);
      return { ...launch, args: launch.args.filter((word) => !/^--(permission|allow-)/.test(word)) };
    },
  };
  return assert.rejects(probe({ executor: open }), /read a file outside its folder ended with ok/);
});
