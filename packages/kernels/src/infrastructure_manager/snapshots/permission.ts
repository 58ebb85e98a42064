import { GraceError } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';
import type { Item, Snapshot } from './document.ts';

interface Answer {
  id: string;
  outcome: 'permit' | 'forbid' | 'needs_approval';
  policies: string[];
  reason: string;
  approval?: { id: string };
}

const DEADLINE_MS = 1000;
const RETRY_AFTER_MS = 100;
/** Names in one question. */
const NAMES_MAX = 100;

/** May this principal put these items of the snapshot back? Answers the id of the decision. */
export type AskRestore = (principal: string, snapshot: Snapshot, items: readonly Item[]) => Promise<string>;

/**
 * Asks governance in the caller's name, and does nothing without a permit.
 * @throws GraceError `FORBIDDEN`, `APPROVAL_NEEDED`, or `GOVERNANCE_UNREACHABLE` for everything that is no answer
 */
export function askGovernance(ctx: KernelContext): AskRestore {
  return async (principal, snapshot, items) => {
    const places = [...new Set(items.map(({ item }) => item.split('/').slice(0, 2).join('/')))].sort();
    const question = {
      action: 'restore_snapshot',
      resource: snapshot.id,
      principal,
      context: { items: places.slice(0, NAMES_MAX), state: items.some(({ group }) => group === 'state') },
      reason: `${items.length} files of ${snapshot.id} take the place of what is there`,
    };
    const { id, outcome, policies, reason, approval } = await ask(ctx, question);
    const what = `${principal} may not restore ${snapshot.id} (${places.join(', ').slice(0, 200)})`;
    const details = { decision: id, policies, approval: approval?.id ?? null };
    if (outcome === 'permit') return id;
    if (outcome === 'needs_approval')
      throw new GraceError(
        'APPROVAL_NEEDED',
        `${what} without approval: ${reason} (request ${approval?.id ?? 'none'})`,
        details,
      );
    const named = policies.join(', ') || 'none permits it';
    throw new GraceError('FORBIDDEN', `${what}: ${reason} (policies: ${named}; decision ${id})`, details);
  };
}

async function ask(ctx: KernelContext, question: Record<string, unknown>): Promise<Answer> {
  let code = '';
  for (let attempt = 0; attempt < 2; attempt++) {
    if (attempt > 0) await new Promise((resolve) => setTimeout(resolve, RETRY_AFTER_MS));
    try {
      const answer = (await ctx.call('governance', 'request', question, { deadlineMs: DEADLINE_MS })) as Answer;
      if (typeof answer?.id === 'string' && Array.isArray(answer.policies) && OUTCOMES.includes(answer.outcome))
        return answer;
      code = 'PROTOCOL';
    } catch (error) {
      code = error instanceof GraceError ? error.code : 'INTERNAL';
    }
  }
  throw new GraceError(
    'GOVERNANCE_UNREACHABLE',
    `governance could not be asked whether ${String(question['principal'])} may restore ${String(question['resource'])} (${code}); nothing was changed`,
    { cause: code },
  );
}

const OUTCOMES: readonly string[] = ['permit', 'forbid', 'needs_approval'];
