import type { KernelContext } from '@grace/kernel-sdk';
import type { Job } from '../jobs/job.ts';
import type { Run } from './claims.ts';

/** One attempt of a run. Its correlation names job and due time, so what follows from a run can be found by it. */
export async function perform(ctx: KernelContext, job: Job, run: Run): Promise<void> {
  const name = `${job.id}@${new Date(run.dueMs).toISOString()}`;
  const options = { deadlineMs: job.deadlineMs, correlation: name };
  if ('publish' in job.action) {
    const { subject, payload } = job.action.publish;
    // The same id for each attempt: when an interrupted one had been accepted after all, subscribers can tell.
    await ctx.bus.publish(subject, payload, { ...options, id: `${name}#${run.seq}` });
    return;
  }
  const { kernel, verb, input } = job.action.call;
  await ctx.call(kernel, verb, input, options);
}
