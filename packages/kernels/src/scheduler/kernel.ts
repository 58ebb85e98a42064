import { defineKernel } from '@grace/kernel-sdk';
import { PROBE_PREFIX } from './jobs/job.ts';
import { createProbe } from './probe.ts';
import { createClaims, RUN_TABLES, STRETCH_COLUMNS } from './runs/claims.ts';
import { createRunner, type Runner } from './runs/runner.ts';
import { createTimetable } from './timetable.ts';
import { createVerbs } from './verbs.ts';

/** Less than the drain deadline of the manifest. */
const FINISH_MS = 1500;

export default defineKernel({
  id: 'scheduler',
  async start(ctx) {
    ctx.store.migrate([RUN_TABLES, STRETCH_COLUMNS]);
    const claims = createClaims(ctx.store);
    let runner: Runner | undefined;
    const timetable = createTimetable(ctx, claims, (onEnd) => {
      runner = createRunner(ctx, claims, onEnd);
      return runner;
    });
    const probe = await createProbe(ctx, timetable, claims);
    // A probe that died with its process left its job; the new process has probes of its own.
    for (const { job } of claims.jobs()) if (job.id.startsWith(PROBE_PREFIX)) claims.removeJob(job.id);
    timetable.open();
    ctx.log.info('jobs known', { jobs: timetable.jobs().length });

    return {
      verbs: createVerbs(ctx, timetable, claims, runner!),
      probe,
      async drain() {
        timetable.close();
        await runner!.finish(FINISH_MS);
      },
    };
  },
});
