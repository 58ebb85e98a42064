/** What Cedar says with `context.approved` set one way. */
export interface Evaluation {
  allows: boolean;
  /** Policies that determined it; empty when nothing permits. */
  reasons: readonly string[];
  /** Policies that could not be evaluated, with the reason. */
  errors: readonly { policy: string; message: string }[];
}

export type Outcome = 'permit' | 'forbid' | 'needs_approval';

export interface Verdict {
  outcome: Outcome;
  /** Ids of the policies that determined it, sorted. */
  policies: string[];
  reason: string;
}

/**
 * Three values out of Cedar's two: the same policies are asked as things are, and, when they deny, once more as if somebody had approved.
 * What is allowed then needs an approval; what is denied even then is forbidden. See docs/decisions/011.
 *
 * A policy that cannot be evaluated is never taken for absent, as Cedar would: it forbids.
 */
export function weigh(plain: Evaluation, ifApproved: () => Evaluation): Verdict {
  if (plain.errors.length > 0) return broken(plain);
  if (plain.allows) return verdict('permit', plain.reasons, 'permitted by');
  const approved = ifApproved();
  if (approved.errors.length > 0) return broken(approved);
  if (approved.allows) {
    return plain.reasons.length > 0
      ? verdict('needs_approval', plain.reasons, 'forbidden without approval by')
      : verdict('needs_approval', approved.reasons, 'permitted after approval by');
  }
  return approved.reasons.length > 0
    ? verdict('forbid', approved.reasons, 'forbidden by')
    : { outcome: 'forbid', policies: [], reason: 'no policy permits it' };
}

function verdict(outcome: Outcome, reasons: readonly string[], how: string): Verdict {
  const policies = [...reasons].sort();
  return { outcome, policies, reason: `${how} ${policies.join(', ')}` };
}

function broken({ errors }: Evaluation): Verdict {
  const [first] = errors;
  const policies = errors.map(({ policy }) => policy).sort();
  return {
    outcome: 'forbid',
    policies,
    reason: `${first!.policy} could not be evaluated: ${first!.message}`.slice(0, 1000),
  };
}
