import { didYouMean, GraceError, toWireError } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';
import type { ProbeCheck } from './definition.ts';

const DEADLINE_MS = 1000;

/**
 * Whether there is a kernel and a verb of these names. A kernel that is down, or a supervisor that does not answer, proves nothing: then the name of the
 * verb is let through, and the probe will say what comes of it.
 * @throws GraceError `UNKNOWN_KERNEL`, `UNKNOWN_VERB` with the nearest name
 */
export async function refuseUnknown(ctx: KernelContext, check: ProbeCheck, kernels: readonly string[]): Promise<void> {
  if (check.kind !== 'verb' && check.kind !== 'query') return;
  const { kernel, verb } = check;
  if (kernels.length > 0 && !kernels.includes(kernel))
    throw new GraceError(
      'UNKNOWN_KERNEL',
      `there is no kernel ${JSON.stringify(kernel)}${didYouMean(kernel, kernels)}`,
      { kernel },
    );
  let verbs: string[];
  try {
    verbs = (await ctx.supervisor.command('verbs', { kernel }, DEADLINE_MS)) as string[];
  } catch (error) {
    const { code, message } = toWireError(error);
    if (code === 'UNKNOWN_KERNEL') throw new GraceError('UNKNOWN_KERNEL', message, { kernel });
    return;
  }
  if (verbs.length > 0 && !verbs.includes(verb))
    throw new GraceError('UNKNOWN_VERB', `${kernel} has no verb ${JSON.stringify(verb)}${didYouMean(verb, verbs)}`, {
      kernel,
      verb,
    });
}
