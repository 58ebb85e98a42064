import type { CompiledRule, Refusal, Side } from '../gates/gate.ts';
import { createState, type RuleState } from '../gates/state.ts';
import { type Condition, compileCondition } from './condition.ts';
import type { Rule } from './rule.ts';

/** A rule at work, with what it remembers and what it has counted since this start. */
export interface LiveRule {
  rule: Rule;
  compiled: CompiledRule;
  state: RuleState;
  counts: { fired: number; failed: number; dropped: number } & Partial<Record<Refusal, number>>;
  /** The last evaluation error or failed action. */
  lastError: string | null;
  on: Entry;
  and: Entry;
  /** Compiles its conditions, so that its first event does not wait for that. */
  prepare(): void;
}

/** One side of a rule in the index of subjects. */
export interface Entry {
  side: Side;
  live(): LiveRule;
}

export function compile(rule: Rule, state: RuleState = createState()): LiveRule {
  const own = { ...rule };
  const when = own.when === null ? null : lazily(own.when);
  const andWhen = own.and?.when ? lazily(own.and.when) : null;
  const live: LiveRule = {
    rule: own,
    compiled: {
      rule: own,
      when: when?.condition ?? null,
      andWhen: andWhen?.condition ?? null,
    },
    state,
    counts: { fired: 0, failed: 0, dropped: 0 },
    lastError: null,
    on: { side: 'on', live: () => live },
    and: { side: 'and', live: () => live },
    prepare() {
      when?.prepare();
      andWhen?.prepare();
    },
  };
  return live;
}

/** Compiled once, at its first event at the latest. It was checked when the rule was defined: ten thousand of them must not hold up a start. */
function lazily(text: string): { condition: Condition; prepare(): void } {
  let compiled: Condition | undefined;
  const prepare = (): Condition => {
    compiled ??= compileCondition(text);
    return compiled;
  };
  return { condition: (event) => prepare()(event), prepare };
}
