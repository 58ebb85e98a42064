import { type KernelContext, requirePermit } from '@grace/kernel-sdk';
import type { Caller } from './token-book.ts';

/**
 * Asks governance whether this server may call a verb for a caller, who waits for the answer: so once.
 * @throws GraceError `FORBIDDEN` with decision and policies, `APPROVAL_NEEDED` with the request, `GOVERNANCE_UNREACHABLE`
 */
export async function askPermission(ctx: KernelContext, { principal, role }: Caller, resource: string): Promise<void> {
  const question = {
    action: 'call_verb',
    resource,
    context: { goal: `over HTTP for ${principal} (${role})` },
    reason: `${principal} (${role}) asked over HTTP`,
  };
  await requirePermit(ctx, question, { what: `${resource} for ${principal}`, tries: 1 });
}
