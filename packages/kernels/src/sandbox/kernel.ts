import { join } from 'node:path';
import { defineKernel } from '@grace/kernel-sdk';
import { createEvaluator } from './evaluate/evaluator.ts';
import { createExecutor } from './execute/executor.ts';
import { reapRuns } from './execute/reap.ts';
import { createGate } from './gate.ts';
import { createProbe } from './probe.ts';
import { createRecords, RUN_TABLES } from './runs/records.ts';
import { createRunner } from './runs/runner.ts';
import { readSettings } from './settings.ts';
import { createVerbs } from './verbs.ts';

export default defineKernel({
  id: 'sandbox',
  async start(ctx) {
    const settings = readSettings(ctx.config);
    ctx.store.migrate([RUN_TABLES]);
    const records = createRecords(ctx.store, settings.runsKept);
    const runsDir = join(ctx.stateDir, 'runs');
    const lost = await reapRuns(records, runsDir, Math.round(ctx.clock.wallMs()));
    if (lost.length > 0) ctx.log.warn('runs of a life before are lost', { runs: lost.length, ids: lost.slice(0, 10) });

    const evaluator = createEvaluator(settings.threads);
    const executor = createExecutor(runsDir, settings.namespaces);
    const runner = createRunner(records, ctx.clock);
    const gates = {
      evaluate: createGate('evaluate', settings.threads, settings.queue),
      execute: createGate('execute', settings.children, settings.queue),
    };
    ctx.onPressure(() => evaluator.shed());
    return {
      verbs: createVerbs({ settings, records, runner, evaluator, executor, gates }),
      probe: createProbe(ctx, evaluator, executor),
      async drain() {
        await Promise.all(runner.ids().map((id) => runner.cancel(id, 'the sandbox is stopping')));
        await evaluator.close();
      },
    };
  },
});
