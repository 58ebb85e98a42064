import type { CompiledRule, Refusal, Side } from '../gates/gate.ts';
import { createState, type RuleState } from '../gates/state.ts';
import { compileCondition } from './condition.ts';
import type { Rule } from './rule.ts';

/** A rule at work: compiled once, with what it remembers and what it has counted since this start. */
export interface LiveRule {
  rule: Rule;
  compiled: CompiledRule;
  state: RuleState;
  counts: { fired: number; failed: number; dropped: number } & Partial<Record<Refusal, number>>;
  /** The last evaluation error or failed action. */
  lastError: string | null;
  on: Entry;
  and: Entry;
}

/** One side of a rule in the index of subjects. */
export interface Entry {
  side: Side;
  live(): LiveRule;
}

export function compile(rule: Rule, state: RuleState = createState()): LiveRule {
  const own = { ...rule };
  const live: LiveRule = {
    rule: own,
    compiled: {
      rule: own,
      when: own.when === null ? null : compileCondition(own.when),
      andWhen: own.and?.when ? compileCondition(own.and.when) : null,
    },
    state,
    counts: { fired: 0, failed: 0, dropped: 0 },
    lastError: null,
    on: { side: 'on', live: () => live },
    and: { side: 'and', live: () => live },
  };
  return live;
}
