import type { StatusDocument } from '@grace/contracts';
import { ANSWER_MS } from '../observe/observer.ts';
import { kernelOf } from '../observe/target.ts';
import { eventually } from '../observe/wait.ts';
import { tellWithheld, withheldBetween } from '../verdict/withheld.ts';
import { CHECK_DEADLINE_MS, type CheckContext, type CheckResult } from './context.ts';

/** `id#incarnation` of each, as evidence and for comparison. */
function incarnations(status: StatusDocument, kernels: readonly string[]): string {
  return kernels.map((id) => `${id}#${kernelOf(status, id)?.incarnation ?? '?'}`).join(' ');
}

async function same(context: CheckContext, kernels: readonly string[]): Promise<CheckResult> {
  const status = await context.control.request('status', {});
  const expected = incarnations(context.before, kernels);
  const observed = incarnations(status, kernels);
  return { expected, observed, ok: kernels.length === 0 ? null : observed === expected };
}

export function noRestart(context: CheckContext): Promise<CheckResult> {
  return same(context, context.target.kernels);
}

/** Kernels that another trial of the moment may restart are not asked here: the verdict knows who was allowed what. */
export function nobodyRestarted(context: CheckContext): Promise<CheckResult> {
  return same(
    context,
    context.before.kernels.map(({ id }) => id),
  );
}

export async function cellMatesUntouched(context: CheckContext): Promise<CheckResult> {
  const { target } = context;
  const mates = target.cellMates.filter((id) => !target.kernels.includes(id));
  // Known, not unknown: a kernel that was moved into a cell of its own by an earlier trial has nobody to touch.
  if (mates.length === 0 && target.cell !== null)
    return { expected: 'no cell-mate restarted', observed: `it was alone in ${target.cell}`, ok: true };
  return same(context, mates);
}

export async function restartedOnce(context: CheckContext): Promise<CheckResult> {
  const { control, target } = context;
  const expected = `${target.id}#${target.incarnation + 1} running`;
  const describe = async (): Promise<string> => {
    const kernel = kernelOf(await control.request('status', {}), target.id);
    return `${target.id}#${kernel?.incarnation ?? '?'} ${kernel?.state ?? 'gone'}`;
  };
  const met = await eventually(async () => ((await describe()) === expected ? expected : null), {
    deadlineMs: CHECK_DEADLINE_MS,
    everyMs: 50,
  });
  const observed = met ?? (await describe());
  return { expected, observed, ok: observed === expected };
}

/** An unanswered call says nothing of a kernel when the machine withheld this part of the time there was for the answer. */
const WITHHELD_SHARE = 0.5;

export function workWentOn({ observations, actedMono, injection, withheld }: CheckContext): CheckResult {
  const expected = 'verbs answered while the fault acted';
  if (actedMono === null) return { expected, observed: 'the fault was not seen to act', ok: null };
  const until = actedMono + injection.lease.durationMs;
  const during = observations.filter(({ atMono }) => atMono > actedMono && atMono < until);
  const unanswered = during.filter(({ workload }) => workload !== true);
  const withheldMs = unanswered.map(({ atMono }) => withheldBetween(withheld(), atMono - ANSWER_MS, atMono));
  const isExcused = unanswered.length > 0 && withheldMs.every((ms) => ms >= ANSWER_MS * WITHHELD_SHARE);
  const excuse = `; of the ${ANSWER_MS} ms for each answer the machine withheld at least ${Math.round(Math.min(...withheldMs))} ms: ${tellWithheld(withheld())}`;
  return {
    expected,
    observed: `${during.length - unanswered.length} of ${during.length} calls answered${isExcused ? excuse : ''}`,
    ok: during.length === 0 || isExcused ? null : unanswered.length === 0,
  };
}
