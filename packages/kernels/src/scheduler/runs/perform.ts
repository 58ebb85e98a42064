import type { KernelContext } from '@grace/kernel-sdk';
import type { Job } from '../jobs/job.ts';
import type { Run } from './claims.ts';
import { askPermission } from './permission.ts';

/**
 * One attempt of a run. Its correlation names job and due time: what follows from a run can be found by it, and who is called can tell a
 * repeated attempt from the next run.
 */
export async function perform(ctx: KernelContext, job: Job, run: Run): Promise<void> {
  const correlation = keyOf(run);
  const options = { deadlineMs: job.deadlineMs, correlation, ...(run.cause === null ? {} : { causation: run.cause }) };
  if ('publish' in job.action) {
    const { subject, payload } = job.action.publish;
    // The same id for each attempt: one that had been accepted after all is not delivered again.
    await ctx.bus.publish(subject, payload, { ...options, id: `${correlation}#${run.seq}` });
    return;
  }
  const { kernel, verb, input } = job.action.call;
  await askPermission(ctx, job.id, `${kernel}.${verb}`, correlation);
  // No id of its own: an answer goes to the attempt that asked.
  await ctx.bus.request(`kernel.${kernel}.call.${verb}`, input, options);
}

/** The same for each attempt of a run, and for no other run. */
function keyOf({ job, dueMs, kind }: Run): string {
  return `${job}@${new Date(dueMs).toISOString()}${kind === 'manual' ? '/manual' : ''}`;
}
