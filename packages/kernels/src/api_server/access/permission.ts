import { GraceError } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';
import type { Caller } from './token-book.ts';

interface Decision {
  id: string;
  outcome: 'permit' | 'forbid' | 'needs_approval';
  policies: string[];
  reason: string;
  approval?: { id: string };
}

const DEADLINE_MS = 2000;

/**
 * Asks governance whether this server may call a verb for a caller.
 * @throws GraceError `FORBIDDEN` with decision and policies, `APPROVAL_NEEDED` with the request, `GOVERNANCE_UNREACHABLE`
 */
export async function askPermission(ctx: KernelContext, caller: Caller, resource: string): Promise<void> {
  const decision = await decided(ctx, caller, resource);
  if (decision.outcome === 'permit') return;
  const { id, policies, reason, approval } = decision;
  if (decision.outcome === 'needs_approval')
    throw new GraceError('APPROVAL_NEEDED', `${resource}: ${reason}`, {
      decision: id,
      policies,
      approval: approval?.id,
    });
  throw new GraceError('FORBIDDEN', `${resource}: ${reason}`, { decision: id, policies });
}

async function decided(ctx: KernelContext, { principal, role }: Caller, resource: string): Promise<Decision> {
  const question = {
    action: 'call_verb',
    resource,
    context: { goal: `over HTTP for ${principal} (${role})` },
    reason: `${principal} (${role}) asked over HTTP`,
  };
  try {
    return (await ctx.call('governance', 'request', question, { deadlineMs: DEADLINE_MS })) as Decision;
  } catch (error) {
    throw new GraceError(
      'GOVERNANCE_UNREACHABLE',
      `governance could not be asked about ${resource}: ${(error as Error).message}`,
      { resource },
    );
  }
}
