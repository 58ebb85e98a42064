import type { Facts } from '../facts/gather.ts';
import { brief } from '../facts/plain.ts';
import type { Expression } from '../rules/expression.ts';
import { type Condition, type FactSource, type RuleKind, SCOPE } from '../rules/rule.ts';
import { type Verdict, verdictOf } from './verdict.ts';

/** What came of looking at one condition, with what it rests on. */
export interface Result {
  verdict: Verdict;
  /** One sentence. */
  reason: string;
  expect: string;
  /** What the rule shows of its facts; absent where it shows nothing, or that could not be told either. */
  shown?: unknown;
  facts: Record<string, { from: string; ms: number; value?: unknown; missing?: string }>;
}

/** Values at hand beside the facts. */
export interface Surroundings {
  nowMs: number;
  input?: unknown;
  answer?: unknown;
  before?: unknown;
}

/** Evidence is kept and sent around. */
const VALUE_CHARS = 600;
const SHOWN_CHARS = 2000;

export interface Compiled {
  expect: Expression;
  show: Expression | null;
}

/** CEL is loaded when it is first needed. */
export async function compileCondition({ facts, expect, show }: Condition, kind: RuleKind): Promise<Compiled> {
  const { compile } = await import('../rules/expression.ts');
  const names = [...Object.keys(facts), ...SCOPE[kind]];
  return { expect: compile(expect, names, 'bool'), show: show === null ? null : compile(show, names, 'any') };
}

/** The verdict on a condition over these facts. A fact that is missing makes it unknown, whatever the others say. Pure. */
export function judge(condition: Condition, compiled: Compiled, facts: Facts, around: Surroundings): Result {
  const evidence: Result['facts'] = Object.fromEntries(
    Object.entries(condition.facts).map(([name, source]) => {
      const fact = facts[name];
      const ms = Math.round(fact?.ms ?? 0);
      const from = sourceWords(source);
      if (fact?.ok) return [name, { from, ms, value: brief(fact.value, VALUE_CHARS) }];
      return [name, { from, ms, missing: fact?.error ?? 'it was not asked for' }];
    }),
  );
  const { expect } = condition;
  const missing = Object.entries(evidence).filter(([, fact]) => fact.missing !== undefined);
  if (missing.length > 0) {
    const reason = missing.map(([name, fact]) => `${name} is missing (${fact.from}): ${fact.missing}`).join('; ');
    return { verdict: 'unknown', reason, expect, facts: evidence };
  }
  const scope = {
    ...around,
    ...Object.fromEntries(Object.entries(facts).map(([name, fact]) => [name, fact.ok ? fact.value : undefined])),
  };
  const shown = shownBy(compiled.show, scope);
  const made = (verdict: Verdict, reason: string): Result => {
    return { verdict, reason, expect, ...(shown === undefined ? {} : { shown }), facts: evidence };
  };
  let value: unknown;
  try {
    value = compiled.expect(scope);
  } catch (error) {
    return made('unknown', `it could not be evaluated: ${firstLine(error)}`);
  }
  const verdict = verdictOf(value);
  const words = { holds: 'it is so', broken: 'it is not so', unknown: `it gave ${typeof value}, not true or false` };
  const seen = verdict === 'broken' && shown !== undefined ? `: ${JSON.stringify(shown)}` : '';
  return made(verdict, `${words[verdict]}${seen}`.slice(0, 500));
}

function shownBy(show: Expression | null, scope: Record<string, unknown>): unknown {
  if (!show) return undefined;
  try {
    return brief(speakable(show(scope)), SHOWN_CHARS);
  } catch {
    // What it rests on is shown by the facts; evidence never decides.
    return undefined;
  }
}

/** CEL counts in bigints, which JSON cannot say. */
function speakable(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (_, part) => (typeof part === 'bigint' ? Number(part) : part)) ?? 'null');
}

function firstLine(error: unknown): string {
  const { summary, message } = error as { summary?: string; message?: string };
  return String(summary ?? message ?? error)
    .split('\n')[0]!
    .slice(0, 200);
}

export function sourceWords({ origin, path }: FactSource): string {
  const at = path === null ? '' : `, ${path}`;
  if ('call' in origin) return `${origin.call.kernel} ${origin.call.verb}${at}`;
  return 'supervisor' in origin ? `the supervisor's ${origin.supervisor}${at}` : `at hand${at}`;
}
