import { type KernelContext, requirePermit } from '@grace/kernel-sdk';

/**
 * Asks governance whether a job may call a verb now; policies change live, so each attempt asks.
 * @throws GraceError `FORBIDDEN`, `APPROVAL_NEEDED` (a request stands then), `GOVERNANCE_UNREACHABLE`
 */
export async function askPermission(ctx: KernelContext, job: string, verb: string, correlation: string): Promise<void> {
  const goal = `job ${job}`;
  const question = { action: 'call_verb', resource: verb, context: { goal }, reason: goal };
  await requirePermit(ctx, question, { what: `${verb} for job "${job}"`, correlation });
}
