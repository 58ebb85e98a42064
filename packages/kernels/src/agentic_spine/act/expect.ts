import { toWireError } from '@grace/contracts';
import type { KernelContext } from '@grace/kernel-sdk';
import { plain } from '../../verification_framework/facts/plain.ts';
import { compile, type Expression } from '../../verification_framework/rules/expression.ts';
import { ROOTS } from '../plans/plan.ts';
import { words } from './deed.ts';

export const OWN_ID = 'agentic_spine';

/** Verbs that only look, beside those that verification_framework knows: they verify a step without asking for permission. */
export const READS = [
  ...['scheduler.jobs', 'librarian.stats', 'trigger_mesh.test', 'verification_framework.check'],
  ...['verification_framework.rules', 'verification_framework.violations', 'health_monitor.slo'],
  ...['infrastructure_manager.snapshots', 'clarity_framework.explain', 'librarian.summarise'],
];

/** broken: it is not so. unknown: it could not be told, which is never good news. */
export type Told = { verdict: 'holds' } | { verdict: 'broken' | 'unknown'; why: string };

/** Names an expression may speak of. What is not in the scope is not known, and the expression cannot be told. */
const NAMES = [...ROOTS, 'answer', 'seen'];
const COMPILED_MAX = 500;
const compiled = new Map<string, Expression>();

/**
 * Evaluates CEL over a scope.
 * @param scope values of `NAMES` that are known
 */
export function tell(text: string, scope: Readonly<Record<string, unknown>>): Told {
  try {
    const made = compiled.get(text) ?? compile(text, NAMES, 'bool');
    if (compiled.size >= COMPILED_MAX) compiled.clear();
    compiled.set(text, made);
    const value = made(known(text, scope));
    if (value === true) return { verdict: 'holds' };
    if (value === false) return { verdict: 'broken', why: `${text} is not so` };
    return { verdict: 'unknown', why: `${text} gave a ${typeof value}, expected true or false` };
  } catch (error) {
    const [line] = (error as Error).message.split('\n');
    return { verdict: 'unknown', why: `${text} could not be told: ${line!.slice(0, 200)}` };
  }
}

/** What an expression speaks of, as plain values. What is too large for one is not known to it. */
function known(text: string, scope: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(scope)) {
    if (value === undefined || !text.includes(name)) continue;
    try {
      found[name] = plain(value);
    } catch {}
  }
  return found;
}

/** Looks where it must, and tells. */
export async function look(
  ctx: Pick<KernelContext, 'call'>,
  {
    call,
    expect,
    withinMs,
  }: { call: { kernel: string; verb: string; input: unknown } | null; expect: string; withinMs: number },
  scope: Readonly<Record<string, unknown>>,
  correlation: string,
): Promise<Told> {
  if (!call) return tell(expect, scope);
  let seen: unknown;
  try {
    seen = await ctx.call(call.kernel, call.verb, call.input, { deadlineMs: withinMs, correlation });
  } catch (error) {
    // That there is no such thing is an answer: nothing was seen.
    if (toWireError(error).code !== 'NOT_FOUND')
      return { verdict: 'unknown', why: `${call.kernel}.${call.verb} did not say: ${words(error)}` };
    seen = null;
  }
  return tell(expect, { ...scope, seen });
}
