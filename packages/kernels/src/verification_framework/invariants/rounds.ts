import type { KernelContext } from '@grace/kernel-sdk';
import type { Gatherer } from '../facts/gather.ts';
import type { Rule } from '../rules/rule.ts';
import type { Checker } from '../verdict/checker.ts';
import type { Result } from '../verdict/judge.ts';
import type { ViolationBook } from './book.ts';
import { newStreak, type Streak, step } from './streak.ts';

export interface LastLook extends Result {
  atMs: number;
  tookMs: number;
}

/** Looks at each invariant when it is due, and notes what changes. */
export interface Rounds {
  /** The rules in force changed. */
  use(rules: readonly Rule[]): void;
  /** One look now; it counts like any other. */
  look(rule: Rule): Promise<LastLook>;
  last(id: string): LastLook | undefined;
  looks(): number;
}

const TICK_MS = 250;
/** The first look, after the start: kernels that are still starting would only be unknown. */
const FIRST_MS = 1000;

interface Kept {
  rule: Rule;
  dueMono: number;
  streak: Streak;
  last: LastLook | undefined;
  running: boolean;
}

export function createRounds(ctx: KernelContext, gatherer: Gatherer, checker: Checker, book: ViolationBook): Rounds {
  const kept = new Map<string, Kept>();
  let looks = 0;

  const observe = async (rule: Rule, gather: ReturnType<Gatherer['look']>): Promise<LastLook> => {
    const startMono = ctx.clock.monoMs();
    const result = await checker.check(rule, rule.kind, gather, {});
    looks++;
    const look = { ...result, atMs: ctx.clock.wallMs(), tookMs: Math.round(ctx.clock.monoMs() - startMono) };
    const entry = kept.get(rule.id);
    // It was changed or removed meanwhile, or the store is about to be closed: this look is about another rule.
    if (entry?.rule === rule && !ctx.signal.aborted) note(entry, look);
    return look;
  };
  const note = (entry: Kept, look: LastLook): void => {
    const { rule, streak, last } = entry;
    entry.last = look;
    const { verdict, reason, atMs, tookMs: _, ...rest } = look;
    if (last?.verdict !== verdict)
      book.changed({ rule: rule.id, atMs, from: last?.verdict ?? null, to: verdict, reason });
    const event = step(streak, verdict, rule.after);
    if (event === 'begins') {
      book.begin(rule.id, rule.title, { verdict, reason, ...rest }, atMs);
      ctx.log.warn('an invariant is violated', { rule: rule.id, reason });
    } else if (event === 'ends') {
      book.end(rule.id, 'it holds again', atMs);
      ctx.log.info('an invariant holds again', { rule: rule.id });
    }
  };

  ctx.every(TICK_MS, () => {
    const nowMono = ctx.clock.monoMs();
    // One tick shares its facts: ten rules over the same status ask for it once.
    const gather = gatherer.look();
    for (const entry of kept.values()) {
      if (entry.running || entry.dueMono > nowMono) continue;
      entry.running = true;
      observe(entry.rule, gather)
        .catch((error: Error) => ctx.log.error('a look failed', { rule: entry.rule.id, error: error.message }))
        .finally(() => {
          entry.running = false;
          entry.dueMono = ctx.clock.monoMs() + entry.rule.everyMs;
        });
    }
  });

  return {
    use(rules) {
      const invariants = new Map(rules.filter(({ kind }) => kind === 'invariant').map((rule) => [rule.id, rule]));
      for (const [id, { streak }] of kept) {
        if (invariants.has(id)) continue;
        kept.delete(id);
        if (streak.violated) book.end(id, 'the rule was removed', ctx.clock.wallMs());
      }
      for (const [id, rule] of invariants) {
        if (kept.get(id)?.rule === rule) continue;
        const violated = book.open(id) !== undefined;
        const dueMono = ctx.clock.monoMs() + Math.min(FIRST_MS, rule.everyMs);
        kept.set(id, { rule, dueMono, streak: newStreak(violated), last: undefined, running: false });
      }
      // A life before may have known rules that are gone.
      for (const { rule } of book.list({ open: true, fromMs: 0, toMs: Number.MAX_SAFE_INTEGER, limit: 1000 }))
        if (!kept.has(rule)) book.end(rule, 'the rule was removed', ctx.clock.wallMs());
    },
    look: (rule) => observe(rule, gatherer.look()),
    last: (id) => kept.get(id)?.last,
    looks: () => looks,
  };
}
