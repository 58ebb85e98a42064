import { GraceError } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';

export interface Question {
  action: 'apply_change' | 'revert_change';
  /** The change: of this task, and exactly this patch. */
  resource: string;
  context: Record<string, unknown>;
  reason: string;
}

export interface Decision {
  id: string;
  outcome: 'permit' | 'forbid' | 'needs_approval';
  policies: string[];
  reason: string;
  approval?: { id: string; state?: string };
}

const DEADLINE_MS = 1000;
const RETRY_AFTER_MS = 100;
const OUTCOMES: readonly string[] = ['permit', 'forbid', 'needs_approval'];

/**
 * What governance answers; a request for approval is left behind where one is needed.
 * @throws GraceError `GOVERNANCE_UNREACHABLE` for everything that is no answer
 */
export async function askGovernance(ctx: KernelContext, question: Question): Promise<Decision> {
  const once = async (): Promise<Decision> => {
    const answer = (await ctx.call('governance', 'request', question, { deadlineMs: DEADLINE_MS })) as Decision;
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
    const cause = error instanceof GraceError ? error.code : 'INTERNAL';
    const { action, resource } = question;
    throw new GraceError(
      'GOVERNANCE_UNREACHABLE',
      `governance could not be asked whether ${ctx.id} may ${action} ${resource} (${cause}: ${(error as Error).message})`,
      { action, resource, cause },
    );
  }
}

/** @throws GraceError `FORBIDDEN` with the policies, `APPROVAL_NEEDED` with the request */
export function expectPermit(question: Question, decision: Decision): void {
  const { id, outcome, policies, reason, approval } = decision;
  if (outcome === 'permit') return;
  const what = `${question.action} ${question.resource}`;
  if (outcome === 'forbid')
    throw new GraceError(
      'FORBIDDEN',
      `${what}: ${reason} (policies: ${policies.join(', ') || 'none permits it'}; decision ${id})`,
      { decision: id, policies },
    );
  throw new GraceError('APPROVAL_NEEDED', `${what}: ${reason} (request ${approval?.id ?? 'none'})`, {
    decision: id,
    policies,
    approval: approval?.id ?? null,
  });
}
