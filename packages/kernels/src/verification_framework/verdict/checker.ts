import type { Clock } from '@grace/contracts';
import type { Facts, Gatherer } from '../facts/gather.ts';
import type { Condition, RuleKind } from '../rules/rule.ts';
import { type Compiled, compileCondition, judge, type Result, type Surroundings } from './judge.ts';

/** Gathers the facts of a condition and judges it. Never rejects: what goes wrong is unknown. */
export interface Checker {
  check(
    condition: Condition,
    kind: RuleKind,
    gather: ReturnType<Gatherer['look']>,
    around: Omit<Surroundings, 'nowMs'>,
  ): Promise<Result>;
}

export function createChecker(clock: Clock): Checker {
  const compiled = new WeakMap<Condition, Compiled>();
  return {
    async check(condition, kind, gather, around) {
      let facts: Facts = {};
      try {
        const ready = compiled.get(condition) ?? (await compileCondition(condition, kind));
        compiled.set(condition, ready);
        facts = await gather(condition.facts);
        return judge(condition, ready, facts, { ...around, nowMs: clock.wallMs() });
      } catch (error) {
        const reason = `it could not be looked at: ${(error as Error).message.split('\n')[0]}`.slice(0, 300);
        return { verdict: 'unknown', reason, expect: condition.expect, facts: {} };
      }
    },
  };
}
