import { GraceError } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';
import { wordsOf } from '../facts/gather.ts';

const DEADLINE_MS = 2000;
const GOAL_CHARS = 200;

interface Answer {
  id: string;
  outcome: 'permit' | 'forbid' | 'needs_approval';
  policies: string[];
  reason: string;
  approval?: { id: string };
}

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
  let answer: Answer;
  try {
    answer = (await ctx.call('governance', 'request', question, { deadlineMs: DEADLINE_MS })) as Answer;
  } catch (error) {
    throw new GraceError(
      'GOVERNANCE_UNREACHABLE',
      `governance could not be asked whether ${principal} may have ${name} called, so it was not: ${wordsOf(error)}`,
    );
  }
  const { outcome, policies, reason: words, id, approval } = answer;
  if (outcome === 'permit') return id;
  const by = `${words} (${id}, by ${policies.join(', ') || 'no policy'})`;
  if (outcome === 'needs_approval') {
    throw new GraceError('APPROVAL_NEEDED', `${name} for ${principal} needs an approval: ${by}`, {
      approval: approval?.id ?? null,
      decision: id,
    });
  }
  throw new GraceError('FORBIDDEN', `governance forbids ${name} for ${principal}: ${by}`, { policies, decision: id });
}
