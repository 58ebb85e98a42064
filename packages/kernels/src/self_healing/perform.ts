import { GraceError, type StatusDocument } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';
import { readStatus } from './observe.ts';
import type { Action } from './playbook/types.ts';

interface Performed {
  detail: string;
  result: unknown;
}

interface ProbeAnswer {
  ok: boolean;
  ms: number;
  detail: unknown;
}

/** Carries out one action of a playbook, for real. Throws when it failed. */
export async function perform(
  ctx: KernelContext,
  action: Action,
  about: { target: string; correlation: string },
  deadlineMs: number,
): Promise<Performed> {
  switch (action.kind) {
    case 'probe':
      return probe(ctx, action.kernel, deadlineMs);
    case 'probe_neighbours':
      return probeNeighbours(ctx, about.target, deadlineMs);
    case 'restart': {
      if (action.kernel === ctx.id) {
        throw new GraceError('FORBIDDEN', `${ctx.id} does not restart itself: that is the work of the supervisor`);
      }
      const { kernel, reason } = action;
      const result = await ctx.supervisor.command(
        'restart',
        { kernel, reason, correlation: about.correlation },
        deadlineMs,
      );
      return { detail: `restarted ${kernel}`, result };
    }
    case 'verb': {
      const options = { deadlineMs, correlation: about.correlation };
      const result = await ctx.call(action.kernel, action.verb, action.input, options);
      return { detail: `${action.kernel} ${action.verb} answered`, result };
    }
    case 'wait_until':
      throw new GraceError('INTERNAL', 'a wait is driven by observations, not performed');
  }
}

async function probe(ctx: KernelContext, kernel: string, deadlineMs: number): Promise<Performed> {
  const answer = (await ctx.supervisor.command('probe', { kernel }, deadlineMs)) as ProbeAnswer;
  if (!answer.ok) throw new Error(`the probe of ${kernel} failed: ${JSON.stringify(answer.detail)?.slice(0, 300)}`);
  return { detail: `${kernel} did its job in ${Math.round(answer.ms)} ms`, result: answer.detail };
}

async function probeNeighbours(ctx: KernelContext, target: string, deadlineMs: number): Promise<Performed> {
  const names = neighboursOf(await readStatus(ctx), target);
  const answers = await Promise.all(
    names.map(async (kernel) => {
      try {
        await probe(ctx, kernel, deadlineMs);
        return { kernel, ok: true };
      } catch (error) {
        return { kernel, ok: false, error: (error as Error).message };
      }
    }),
  );
  const failed = answers.filter((answer) => !answer.ok);
  if (failed.length > 0) throw new Error(failed.map(({ kernel, error }) => `${kernel}: ${error}`).join('; '));
  return { detail: `${names.length} neighbours did their job: ${names.join(', ') || 'none'}`, result: answers };
}

/** Running kernels in the target's cell; of the whole system when the target is neither kernel nor cell. */
function neighboursOf(status: StatusDocument, target: string): string[] {
  const home = status.kernels.find((kernel) => kernel.id === target)?.cell;
  const cell = home ?? status.cells.find((one) => one.id === target)?.id;
  return status.kernels
    .filter(
      ({ id, state, cell: place }) => id !== target && state === 'running' && (cell === undefined || place === cell),
    )
    .map(({ id }) => id);
}
