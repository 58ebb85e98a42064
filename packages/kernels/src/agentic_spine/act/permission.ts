import { toWireError } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';
import { words } from './deed.ts';

/** For whom a verb is to be called, and what for. */
export interface Asked {
  principal: string;
  kernel: string;
  verb: string;
  goal: string;
  plan: string;
  why: string;
  correlation: string;
  /** What is left of the goal's time: a request lives no longer, ms. */
  leftMs: number;
}

export type Permission =
  | { outcome: 'permit'; decision: string }
  | { outcome: 'forbid'; decision: string; why: string }
  | { outcome: 'needs_approval'; decision: string; why: string; approval: string | null }
  /** Governance could not be asked, so nothing is permitted. */
  | { outcome: 'unreachable'; why: string };

interface Decision {
  id: string;
  outcome: 'permit' | 'forbid' | 'needs_approval';
  policies: string[];
  reason: string;
  approval?: { id: string };
}

const DEADLINE_MS = 2000;
const PENDING_MAX = 1000;
/** What governance takes. */
const EXPIRES_MIN_MS = 100;
const EXPIRES_MAX_MS = 7 * 24 * 3_600_000;

/** Whoever may not call a verb may not have it called either: each is asked for in the name of who submitted the goal. */
export interface Governor {
  /** Leaves a request behind where an approval is needed. */
  request(asked: Asked): Promise<Permission>;
  /** The same question without a request; uses an approval up. */
  decide(asked: Asked): Promise<Permission>;
  /** What would be answered now; decides nothing and is nobody's record. */
  simulate(asked: Asked): Promise<Permission>;
  /** Requests that nobody has decided yet; undefined: governance could not be asked. */
  pending(): Promise<ReadonlySet<string> | undefined>;
}

export function createGovernor(ctx: Pick<KernelContext, 'call' | 'log'>): Governor {
  const ask = async (verb: 'request' | 'decide' | 'simulate', asked: Asked): Promise<Permission> => {
    const name = `${asked.kernel}.${asked.verb}`;
    const question = {
      action: 'call_verb',
      resource: name,
      principal: asked.principal,
      context: { goal: asked.goal, plan: asked.plan },
      ...(verb === 'simulate' ? {} : { reason: asked.why.slice(0, 500) }),
      ...(verb === 'request' ? { expiresMs: Math.min(EXPIRES_MAX_MS, Math.max(EXPIRES_MIN_MS, asked.leftMs)) } : {}),
    };
    try {
      const options = { deadlineMs: DEADLINE_MS, correlation: asked.correlation };
      const said = (await ctx.call('governance', verb, question, options)) as Decision;
      const decision = verb === 'simulate' ? 'simulated' : said.id;
      const why = `${said.reason} (${decision}, by ${said.policies.join(', ') || 'no policy'})`;
      if (said.outcome === 'permit') return { outcome: 'permit', decision };
      if (said.outcome === 'needs_approval')
        return { outcome: 'needs_approval', decision, why, approval: said.approval?.id ?? null };
      // Whatever else it says is no permission.
      return { outcome: 'forbid', decision, why };
    } catch (error) {
      // It answered that such a question cannot be permitted: asking again will not help.
      if (['FORBIDDEN', 'BAD_INPUT'].includes(toWireError(error).code))
        return { outcome: 'forbid', decision: '', why: words(error) };
      return { outcome: 'unreachable', why: `GOVERNANCE_UNREACHABLE: ${name} was not done: ${words(error)}` };
    }
  };
  return {
    request: (asked) => ask('request', asked),
    decide: (asked) => ask('decide', asked),
    simulate: (asked) => ask('simulate', asked),
    async pending() {
      try {
        const input = { state: 'pending', limit: PENDING_MAX };
        const list = (await ctx.call('governance', 'approvals', input, { deadlineMs: DEADLINE_MS })) as {
          id: string;
        }[];
        return new Set(list.map(({ id }) => id));
      } catch (error) {
        ctx.log.debug('governance could not be asked for its requests', { error: words(error) });
        return undefined;
      }
    },
  };
}
