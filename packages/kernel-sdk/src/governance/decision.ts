import { GraceError } from '@grace/contracts';
import { is } from '../input.ts';

const OUTCOMES = ['permit', 'forbid', 'needs_approval'] as const;

/** What governance answered to a question. */
export interface Decision {
  /** Of the record of it; `simulated` where nothing was decided. */
  id: string;
  outcome: (typeof OUTCOMES)[number];
  /** Ids of the policies that determined it. */
  policies: string[];
  /** One sentence. */
  reason: string;
  /** Id of the request for approval, where there is one. */
  approval: string | null;
}

const words = is.string({ min: 0 });
const name = is.string();

/** @throws GraceError `PROTOCOL` for everything that is no decision: what cannot be read permits nothing */
export function readDecision(answer: unknown, isSimulated: boolean): Decision {
  try {
    const said = is.record()(answer, 'answer');
    const approval = is.optional(is.record())(said['approval'], 'answer.approval');
    return {
      id: isSimulated ? 'simulated' : name(said['id'], 'answer.id'),
      outcome: is.oneOf(OUTCOMES)(said['outcome'], 'answer.outcome'),
      policies: is.array(name)(said['policies'], 'answer.policies'),
      reason: words(said['reason'], 'answer.reason'),
      approval: approval ? name(approval['id'], 'answer.approval.id') : null,
    };
  } catch (error) {
    throw new GraceError('PROTOCOL', `governance answered something that is no decision: ${(error as Error).message}`);
  }
}

/** Why, by which policies, in which decision, and which request stands: what a refusal or a record says of a decision. */
export function groundsOf({ id, policies, reason, approval }: Decision): string {
  const request = approval === null ? '' : `; request ${approval}`;
  return `${reason} (policies: ${policies.join(', ') || 'none permits it'}; decision ${id}${request})`;
}

/**
 * @param what is to be done, like `scheduler.add for alice`
 * @throws GraceError `FORBIDDEN` or `APPROVAL_NEEDED`, each with `decision` and `policies` in its details, the latter with `approval`
 */
export function expectPermit(decision: Decision, what: string): void {
  const { id, outcome, policies, approval } = decision;
  if (outcome === 'permit') return;
  const details = { decision: id, policies };
  if (outcome === 'needs_approval')
    throw new GraceError('APPROVAL_NEEDED', `${what} needs an approval: ${groundsOf(decision)}`, {
      ...details,
      approval,
    });
  throw new GraceError('FORBIDDEN', `governance forbids ${what}: ${groundsOf(decision)}`, details);
}
