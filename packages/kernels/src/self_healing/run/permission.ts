import { toWireError } from '@grace/contracts';
import { askGovernance, type Decision, type KernelContext } from '@grace/kernel-sdk';
import type { Subject } from '../observe.ts';
import type { Action, Playbook } from '../playbook/types.ts';

/** What governance says to a playbook. `askAgainMs`: an answer that may be another one later. */
export type Permission = { granted: true; by: string } | { granted: false; reason: string; askAgainMs: number };

/** May this playbook run on this subject now? */
export type AskPermission = (playbook: Playbook, subject: Subject) => Promise<Permission>;

/**
 * Playbooks of the product that run although governance cannot be asked: they look, restart what fails its probe, and mute who floods the
 * bus. Without them, nobody would repair a system whose governance is what broke.
 */
export const EMERGENCY = ['cpu_saturation', 'kernel_heartbeat_gap', 'message_bus_acl_violation_fix'] as const;

/** The id alone is not enough: a playbook of the same name may do something else. */
const HARMLESS = new Set([
  'probe',
  'probe_neighbours',
  'wait_until',
  'restart',
  'verb:message_bus.mute',
  'verb:message_bus.stats',
]);

const DEADLINE_MS = 1500;
/** Policies and approvals change by hand, so not more often than a hand may. */
const ASK_AGAIN_MS = 10_000;

/** Asks the governance kernel; a request for approval stands afterwards when one is needed. Fails closed but for the emergency list. */
export function askPermission(ctx: KernelContext, emergency: readonly string[]): AskPermission {
  return async (playbook, { target, incident }) => {
    const acts = actsOf(playbook);
    const question = {
      action: 'run_playbook',
      resource: playbook.id,
      // No incident id: an approval is for the playbook on this target, not for one incident that may be over by then.
      context: { target, acts, ...(incident ? { kind: incident.kind } : {}) },
      reason: `${playbook.title} (${target}${incident ? `, ${incident.title}` : ''})`,
    };
    try {
      return permission(
        await askGovernance(ctx, question, { deadlineMs: DEADLINE_MS, correlation: incident?.correlation }),
      );
    } catch (error) {
      const { code, message } = toWireError((error as Error).cause);
      const trouble = `governance could not be asked (${code}: ${message})`;
      // An answer that cannot be read may have been a no.
      if (code !== 'PROTOCOL' && emergency.includes(playbook.id) && acts.every((act) => HARMLESS.has(act))) {
        ctx.log.warn('governance cannot be asked; an emergency playbook runs without it', {
          playbook: playbook.id,
          trouble,
        });
        return { granted: true, by: `the emergency list, as ${trouble}` };
      }
      return { granted: false, reason: `GOVERNANCE_UNREACHABLE: ${trouble}`, askAgainMs: 0 };
    }
  };
}

function permission({ id, outcome, reason, approval }: Decision): Permission {
  if (outcome === 'permit') return { granted: true, by: `governance, decision ${id}` };
  if (outcome === 'needs_approval') {
    const request = approval === null ? '' : `, request ${approval}`;
    return { granted: false, reason: `APPROVAL_NEEDED: ${reason}; decision ${id}${request}`, askAgainMs: ASK_AGAIN_MS };
  }
  return { granted: false, reason: `FORBIDDEN: ${reason}; decision ${id}`, askAgainMs: ASK_AGAIN_MS };
}

/** All it may do, compensations included, as policies name it; sorted, so that the same playbook asks the same question. */
function actsOf(playbook: Playbook): string[] {
  const actions = playbook.steps.flatMap(({ action, compensation }) =>
    compensation ? [action, compensation] : [action],
  );
  return [...new Set(actions.map(nameOf))].sort();
}

function nameOf(action: Action): string {
  return action.kind === 'verb' ? `verb:${action.kernel}.${action.verb}` : action.kind;
}
