import { setTimeout } from 'node:timers/promises';
import { GraceError, toWireError } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';
import type { Proposal } from '../propose/proposal.ts';

const DEADLINE_MS = 1500;
const PAUSE_MS = 100;

interface Decision {
  id: string;
  outcome: 'permit' | 'forbid' | 'needs_approval';
  policies: string[];
  reason: string;
  approval?: { id: string };
}

/**
 * May this knob be turned? Resolves with the id of the decision. Fails closed.
 * @throws GraceError `FORBIDDEN`, `APPROVAL_NEEDED` with the id of the request, `GOVERNANCE_UNREACHABLE`
 */
export async function askPermission(ctx: KernelContext, proposal: Proposal): Promise<string> {
  const { knob, target, from, to } = proposal;
  const question = {
    action: 'tune',
    resource: `${knob}:${target}`,
    context: { kernel: target, from: String(from), to: String(to) },
    reason: proposal.why.slice(0, 1000),
  };
  let trouble = '';
  for (let attempt = 0; attempt < 2; attempt++) {
    let decision: Decision;
    try {
      decision = (await ctx.call('governance', 'request', question, { deadlineMs: DEADLINE_MS })) as Decision;
    } catch (error) {
      const { code, message } = toWireError(error);
      trouble = `${code}: ${message}`;
      await setTimeout(PAUSE_MS, undefined, { signal: ctx.signal }).catch(() => {});
      continue;
    }
    const { id, outcome, policies, reason, approval } = decision;
    const what = `${knob} of ${target} from ${from} to ${to}`;
    if (outcome === 'permit') return id;
    if (outcome === 'needs_approval') {
      throw new GraceError('APPROVAL_NEEDED', `${what}: ${reason}; decision ${id}`, {
        ...{ decision: id, policies },
        ...(approval ? { approval: approval.id } : {}),
      });
    }
    // Whatever else it says is no permission.
    throw new GraceError('FORBIDDEN', `${what}: ${reason}; decision ${id}`, { decision: id, policies });
  }
  throw new GraceError(
    'GOVERNANCE_UNREACHABLE',
    `${knob} of ${target} was not turned: governance could not be asked (${trouble})`,
  );
}
