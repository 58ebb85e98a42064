import { didYouMean, GraceError, toWireError } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';
import { words } from '../act/deed.ts';
import type { Governor, Permission } from '../act/permission.ts';
import { askedFor, filled } from '../act/step.ts';
import { type Goal, scopeOf } from '../goals/goal.ts';
import type { Call, Plan } from '../plans/plan.ts';
import { isTemplate } from '../plans/template.ts';

/** A step as it would be done. */
export interface Rehearsed {
  id: string;
  title: string;
  call: Call;
  /** False: its templates need answers that are not there yet; `call` shows them. */
  filled: boolean;
  permission: Permission;
  compensate: { call: Call; permission: Permission } | null;
  repeat: string;
  verify: string | null;
}

/** Every step with its inputs filled in as far as they are known, and what governance would say. Nothing is done. */
export async function rehearse(goal: Goal, governor: Governor): Promise<Rehearsed[]> {
  return await Promise.all(
    goal.plan.steps.map(async (step, at): Promise<Rehearsed> => {
      const there = { ...goal, at };
      const { call, isFilled } = asFarAsKnown(step.call, scopeOf(there, [], at));
      const undo = step.compensate;
      return {
        ...{ id: step.id, title: step.title, call, filled: isFilled, repeat: step.repeat },
        permission: await ask(there, 'act', call, governor),
        compensate: undo && {
          call: asFarAsKnown(undo, scopeOf(there, [], at)).call,
          permission: await ask(there, 'undo', undo, governor),
        },
        verify: step.verify?.expect ?? null,
      };
    }),
  );
}

async function ask(goal: Goal, what: 'act' | 'undo', call: Call, governor: Governor): Promise<Permission> {
  if (isTemplate(call.kernel))
    return { outcome: 'unreachable', why: 'the kernel is not known before earlier steps are done' };
  return await governor.simulate(askedFor(goal, what, call, goal.plan.deadlineMs));
}

function asFarAsKnown(call: Call, scope: Record<string, unknown>): { call: Call; isFilled: boolean } {
  try {
    return { call: filled(call, scope), isFilled: true };
  } catch {
    return { call: known(call, scope), isFilled: false };
  }
}

/** Each field by itself, so that one that is not known yet does not hide the others. */
function known({ kernel, verb, input }: Call, scope: Record<string, unknown>): Call {
  const fields = Object.entries(input as Record<string, unknown>).map(([name, value]) => {
    try {
      return [name, (filled({ kernel: 'known', verb, input: value }, scope) as Call).input];
    } catch {
      return [name, value];
    }
  });
  return { kernel, verb, input: Object.fromEntries(fields) };
}

/**
 * Whether the kernels of a plan are there and have the verbs it calls, as far as the supervisor says so now.
 * @throws GraceError `UNKNOWN_KERNEL`, `UNKNOWN_VERB` with the nearest name
 */
export async function checkVerbs(
  ctx: Pick<KernelContext, 'supervisor' | 'log'>,
  plan: Plan,
  scope: Record<string, unknown>,
): Promise<void> {
  const calls = plan.steps.flatMap((step) => {
    const all = [step.call, step.compensate, step.verify?.call ?? null].filter((call) => call !== null);
    return all.map((call) => ({ step: step.id, call: asFarAsKnown({ ...call, input: {} }, scope).call }));
  });
  const kernels = new Set(calls.map(({ call }) => call.kernel).filter((name) => !isTemplate(name)));
  const verbs = new Map<string, string[]>();
  await Promise.all(
    [...kernels].map(async (kernel) => {
      try {
        verbs.set(kernel, (await ctx.supervisor.command('verbs', { kernel }, VERBS_MS)) as string[]);
      } catch (error) {
        if (toWireError(error).code === 'UNKNOWN_KERNEL') throw error;
        // Down, or the supervisor is away: the step itself will tell.
        ctx.log.debug('the verbs of a kernel are not known now', { kernel, error: words(error) });
      }
    }),
  );
  for (const { step, call } of calls) {
    const known = verbs.get(call.kernel);
    if (!known || known.length === 0 || known.includes(call.verb)) continue;
    throw new GraceError(
      'UNKNOWN_VERB',
      `step ${step} of plan ${plan.id}: ${call.kernel} has no verb "${call.verb}"${didYouMean(call.verb, known)}`,
      { kernel: call.kernel, verb: call.verb, step },
    );
  }
}

const VERBS_MS = 500;
