import { type KernelContext, requirePermit } from '@grace/kernel-sdk';
import type { Proposal } from '../propose/proposal.ts';

const DEADLINE_MS = 1500;

/**
 * May this knob be turned? Resolves with the id of the decision.
 * @throws GraceError `FORBIDDEN`, `APPROVAL_NEEDED` with the id of the request, `GOVERNANCE_UNREACHABLE`
 */
export async function askPermission(ctx: KernelContext, { knob, target, from, to, why }: Proposal): Promise<string> {
  const question = {
    action: 'tune',
    resource: `${knob}:${target}`,
    context: { kernel: target, from: String(from), to: String(to) },
    reason: why,
  };
  const what = `${knob} of ${target} from ${from} to ${to}`;
  return (await requirePermit(ctx, question, { what, deadlineMs: DEADLINE_MS })).id;
}
