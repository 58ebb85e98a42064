import { GraceError } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';

export type PolicyAction = 'read_secret' | 'write_secret' | 'administer_secrets';

export interface PolicyQuestion {
  action: PolicyAction;
  /** Name of the secret, or id of the vault. */
  resource: string;
  principal: string;
  context?: Record<string, unknown>;
}

/** What stands on the record of an access. */
export interface PolicyAnswer {
  decision: string | null;
  policies: readonly string[];
}

const DEADLINE_MS = 1000;
const RETRY_AFTER_MS = 100;

interface Answer {
  id: string;
  outcome: 'permit' | 'forbid' | 'needs_approval';
  policies: string[];
  reason: string;
  approval?: { id: string };
}

/**
 * Asks the policies on behalf of a principal; `request` leaves a request for approval behind where one is needed.
 * @throws GraceError `FORBIDDEN`, `APPROVAL_NEEDED`, or `GOVERNANCE_UNREACHABLE` for everything that is no answer
 */
export async function askPolicies(ctx: KernelContext, question: PolicyQuestion): Promise<PolicyAnswer> {
  const answer = await ask(ctx, question);
  const { id, outcome, policies, reason, approval } = answer;
  const what = `${question.principal} may not ${question.action} ${question.resource}`;
  const details = { decision: id, policies };
  if (outcome === 'permit') return details;
  if (outcome === 'forbid')
    throw new GraceError(
      'FORBIDDEN',
      `${what}: ${reason} (policies: ${policies.join(', ') || 'none permits it'}; decision ${id})`,
      details,
    );
  throw new GraceError('APPROVAL_NEEDED', `${what} without approval: ${reason} (request ${approval?.id ?? 'none'})`, {
    ...details,
    approval: approval?.id ?? null,
  });
}

async function ask(ctx: KernelContext, question: PolicyQuestion): Promise<Answer> {
  const once = async (): Promise<Answer> => {
    const answer = (await ctx.call('governance', 'request', question, { deadlineMs: DEADLINE_MS })) as Answer;
    if (typeof answer?.id === 'string' && Array.isArray(answer.policies) && OUTCOMES.includes(answer.outcome))
      return answer;
    throw new GraceError('PROTOCOL', 'governance answered something that is no decision');
  };
  try {
    return await once();
  } catch {
    await new Promise((resolve) => setTimeout(resolve, RETRY_AFTER_MS));
  }
  try {
    return await once();
  } catch (error) {
    const code = error instanceof GraceError ? error.code : 'INTERNAL';
    const { action, resource, principal } = question;
    throw new GraceError(
      'GOVERNANCE_UNREACHABLE',
      `governance could not be asked whether ${principal} may ${action} ${resource} (${code})`,
      { action, resource, principal, cause: code },
    );
  }
}

const OUTCOMES: readonly string[] = ['permit', 'forbid', 'needs_approval'];
