import { type KernelContext, requirePermit } from '@grace/kernel-sdk';

const GOAL_CHARS = 200;

/**
 * Asks governance whether `principal` may have this verb called. Whoever may not call it may not have it called either.
 * @returns the id of the decision
 * @throws GraceError `FORBIDDEN`, `APPROVAL_NEEDED`, `GOVERNANCE_UNREACHABLE`
 */
export async function askPermission(
  ctx: KernelContext,
  principal: string,
  deed: { kernel: string; verb: string },
  reason: string | null,
): Promise<string> {
  const name = `${deed.kernel}.${deed.verb}`;
  const goal = reason?.slice(0, GOAL_CHARS);
  const question = {
    action: 'call_verb',
    resource: name,
    principal,
    ...(goal ? { context: { goal }, reason: goal } : {}),
  };
  return (await requirePermit(ctx, question, { what: `${name} for ${principal}`, tries: 1 })).id;
}
