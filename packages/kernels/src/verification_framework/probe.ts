import { GraceError } from '@grace/contracts';
import type { Gatherer } from './facts/gather.ts';
import type { Rule } from './rules/rule.ts';
import type { Checker } from './verdict/checker.ts';
import type { Verdict } from './verdict/verdict.ts';

/**
 * The engine once, for real, on numbers nobody could know before: a rule that holds, one that must break, and two that cannot be told, each
 * called what it is.
 */
export function createProbe(gatherer: Gatherer, checker: Checker, rules: () => number) {
  let number = 0;
  return async (): Promise<Record<string, unknown>> => {
    const value = ++number + Math.floor(Math.random() * 1e6);
    const sample = (of: unknown, path: string | null = null) => ({
      sample: { origin: { given: of }, path, fields: null, withinMs: 1000 },
    });
    const rule = (expect: string, facts: Rule['facts']): Rule => ({
      ...{ id: 'probe', title: 'functional probe', kind: 'invariant', everyMs: 1000, after: 1, source: 'probe' },
      ...{ facts, expect, show: null },
    });
    const expected: [Verdict, Rule][] = [
      [
        'holds',
        rule(
          `sample.n == ${value} && sample.list.all(i, i <= ${value})`,
          sample({ n: value, list: [value - 1, value] }),
        ),
      ],
      [
        'broken',
        rule(
          `sample.n == ${value} && sample.list.all(i, i < ${value})`,
          sample({ n: value, list: [value - 1, value] }),
        ),
      ],
      ['unknown', rule(`sample.absent == ${value}`, sample({ n: value }))],
      ['unknown', rule(`sample == ${value}`, sample({ n: value }, 'absent'))],
    ];
    const gather = gatherer.look();
    for (const [wanted, one] of expected) {
      const { verdict, reason } = await checker.check(one, 'invariant', gather, {});
      if (verdict !== wanted) {
        throw new GraceError(
          'INTERNAL',
          `verification_framework does not do its job: a rule that must be ${wanted} was called ${verdict}: ${reason}`,
        );
      }
    }
    return { holds: 1, broken: 1, unknown: 2, rules: rules() };
  };
}
