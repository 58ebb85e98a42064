import { toWireError } from '@grace/contracts';
import { askGovernance, groundsOf, is, type KernelContext } from '@grace/kernel-sdk';
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

const DEADLINE_MS = 2000;
const PENDING_MAX = 1000;

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

export function createGovernor(ctx: Pick<KernelContext, 'call' | 'log' | 'signal'>): Governor {
  const ask = async (verb: 'request' | 'decide' | 'simulate', asked: Asked): Promise<Permission> => {
    const { principal, goal, plan, why: reason, correlation, leftMs } = asked;
    const what = `${asked.kernel}.${asked.verb}`;
    const question = { action: 'call_verb', resource: what, principal, context: { goal, plan }, reason };
    try {
      // Once: a goal that waits asks again by itself.
      const options = { verb, what, correlation, tries: 1, deadlineMs: DEADLINE_MS, expiresMs: leftMs };
      const said = await askGovernance(ctx, question, options);
      const { id: decision, outcome, approval } = said;
      if (outcome === 'permit') return { outcome, decision };
      const why = groundsOf(said);
      return outcome === 'forbid' ? { outcome, decision, why } : { outcome, decision, why, approval };
    } catch (error) {
      const { cause } = error as Error;
      // It answered that such a question cannot be permitted: asking again will not help.
      if (['FORBIDDEN', 'BAD_INPUT'].includes(toWireError(cause).code))
        return { outcome: 'forbid', decision: '', why: words(cause) };
      return { outcome: 'unreachable', why: words(error) };
    }
  };
  return {
    request: (asked) => ask('request', asked),
    decide: (asked) => ask('decide', asked),
    simulate: (asked) => ask('simulate', asked),
    async pending() {
      try {
        const input = { state: 'pending', limit: PENDING_MAX };
        const answer = await ctx.call('governance', 'approvals', input, { deadlineMs: DEADLINE_MS });
        const requests = is.array(is.record())(answer, 'answer');
        return new Set(requests.map(({ id }, i) => is.string()(id, `answer[${i}].id`)));
      } catch (error) {
        ctx.log.debug('governance could not be asked for its requests', { error: words(error) });
        return undefined;
      }
    },
  };
}
