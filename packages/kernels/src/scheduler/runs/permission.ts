import { setTimeout } from 'node:timers/promises';
import { GraceError, toWireError } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';

const DEADLINE_MS = 2000;
/** Before the one further try: a governance that is being restarted is back soon. */
const PAUSE_MS = 100;

interface Decision {
  id: string;
  outcome: 'permit' | 'forbid' | 'needs_approval';
  policies: string[];
  reason: string;
  approval?: { id: string };
}

/**
 * Asks governance whether a job may call a verb now; policies change live, so each attempt asks.
 * @throws GraceError `FORBIDDEN`, `APPROVAL_NEEDED` (a request stands then), `GOVERNANCE_UNREACHABLE` for everything that is no answer
 */
export async function askPermission(ctx: KernelContext, job: string, verb: string, correlation: string): Promise<void> {
  const { id, outcome, policies, reason, approval } = await decide(ctx, job, verb, correlation);
  if (outcome === 'permit') return;
  const by = `${reason} (${id}, by ${policies.join(', ') || 'no policy'})`;
  if (outcome === 'needs_approval')
    throw new GraceError('APPROVAL_NEEDED', `job "${job}": ${verb} needs an approval: ${by}`, {
      approval: approval?.id ?? null,
      decision: id,
    });
  throw new GraceError('FORBIDDEN', `job "${job}": governance forbids ${verb}: ${by}`, { policies, decision: id });
}

async function decide(ctx: KernelContext, job: string, verb: string, correlation: string): Promise<Decision> {
  const goal = `job ${job}`;
  const question = { action: 'call_verb', resource: verb, context: { goal }, reason: goal };
  let trouble = '';
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      return (await ctx.call('governance', 'request', question, { deadlineMs: DEADLINE_MS, correlation })) as Decision;
    } catch (error) {
      const { code, message } = toWireError(error);
      trouble = `${code}: ${message}`;
      if (code === 'BAD_INPUT') break;
    }
    await setTimeout(PAUSE_MS, undefined, { signal: ctx.signal }).catch(() => {});
  }
  throw new GraceError(
    'GOVERNANCE_UNREACHABLE',
    `governance could not be asked whether job "${job}" may call ${verb}, so it was not called: ${trouble}`,
  );
}
