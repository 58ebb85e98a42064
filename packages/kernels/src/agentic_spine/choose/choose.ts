import { didYouMean, GraceError } from '@grace/contracts';
import { tell } from '../act/expect.ts';
import type { Library } from '../plans/library.ts';
import type { Plan } from '../plans/plan.ts';
import type { Context } from './enrich.ts';
import { readInputs } from './inputs.ts';
import { matchPattern, wordsOf } from './pattern.ts';

/** A plan with the reason for it, and those that were thought of. */
export interface Choice {
  plan: Plan;
  input: Record<string, unknown>;
  /** 1: it was named. */
  score: number;
  why: string;
  alternatives: { plan: string; score: number; whyNot: string }[];
  /** How it was chosen: there is no planner that makes plans of its own. */
  method: 'named' | 'patterns';
}

export interface Wanted {
  text: string;
  input: Readonly<Record<string, unknown>>;
  event: unknown;
  context: Context;
  principal: string;
}

/** Below this a plan has too little to do with the goal. */
const SCORE_MIN = 0.3;
/** A pattern that fits says more than any words do. */
const PATTERN_BASE = 0.6;
const KEYWORD_SHARE = 0.5;
const ALTERNATIVES_MAX = 10;

interface Candidate {
  plan: Plan;
  score: number;
  why: string;
  said: Record<string, string>;
}

/**
 * The plan for a goal, without a model: the one that is named, or the one whose patterns and keywords fit best, whose condition holds and whose
 * inputs are there. Of equals the first by name.
 * @throws GraceError `NOT_FOUND` with why each plan that came near was not taken; `BAD_INPUT` when a plan is named and an input is missing
 */
export function choose(library: Library, wanted: Wanted): Choice {
  const { text } = wanted;
  const words = wordsOf(text);
  if (library.has(text)) {
    const plan = library.get(text);
    const { input, whyNot } = tryPlan(plan, {}, wanted);
    if (!input) throw whyNot;
    return { plan, input, score: 1, why: 'it was named', alternatives: [], method: 'named' };
  }
  const candidates = library
    .all()
    .map((plan) => rate(plan, words))
    .filter(({ score }) => score > 0)
    .sort((a, b) => b.score - a.score || (a.plan.id < b.plan.id ? -1 : 1));
  const alternatives: Choice['alternatives'] = [];
  let chosen: (Candidate & { input: Record<string, unknown> }) | undefined;
  for (const candidate of candidates.slice(0, ALTERNATIVES_MAX)) {
    const { plan, score } = candidate;
    const not = (whyNot: string): void => void alternatives.push({ plan: plan.id, score, whyNot });
    if (score < SCORE_MIN) not(`it has too little to do with the goal (${candidate.why})`);
    else if (chosen) {
      not(
        score === chosen.score
          ? `it fits as well as ${chosen.plan.id}, which comes first by name`
          : `it fits less well than ${chosen.plan.id} (${candidate.why})`,
      );
    } else {
      const { input, whyNot } = tryPlan(plan, candidate.said, wanted);
      if (input) chosen = { ...candidate, input };
      else not(whyNot.message);
    }
  }
  if (chosen) {
    const { plan, input, score, why } = chosen;
    return { plan, input, score, why, alternatives, method: 'patterns' };
  }
  const isName = /^[a-z][a-z0-9_]*$/.test(text);
  const near = isName
    ? didYouMean(
        text,
        library.all().map(({ id }) => id),
      )
    : '';
  const reasons = alternatives.map(({ plan, whyNot }) => `${plan}: ${whyNot}`).join('; ');
  throw new GraceError(
    'NOT_FOUND',
    `no plan fits ${JSON.stringify(text.slice(0, 80))}${near}${
      reasons
        ? `; ${reasons}`
        : `; plans: ${
            library
              .all()
              .map(({ id }) => id)
              .join(', ') || 'none'
          }`
    }`.slice(0, 2000),
    { alternatives },
  );
}

/** Pure: how well a plan's patterns and keywords fit the words of a goal, from 0 to 1. */
export function rate(plan: Plan, words: readonly string[]): Candidate {
  let best: Candidate = { plan, score: 0, why: 'no word of it is among its keywords', said: {} };
  for (const pattern of plan.patterns) {
    const match = matchPattern(pattern, words);
    if (!match) continue;
    const score = PATTERN_BASE + (1 - PATTERN_BASE) * (match.literal / words.length);
    if (score > best.score) best = { plan, score, why: `the goal reads as "${pattern}"`, said: match.inputs };
  }
  const spoken = new Set(words.map((word) => word.toLowerCase()));
  const hits = plan.keywords.filter((word) => spoken.has(word));
  const score = plan.keywords.length === 0 ? 0 : KEYWORD_SHARE * (hits.length / plan.keywords.length);
  return score > best.score ? { plan, score, why: `it speaks of ${hits.join(', ')}`, said: {} } : best;
}

function tryPlan(
  plan: Plan,
  said: Record<string, string>,
  { input: given, event, context, principal, text }: Wanted,
): { input: Record<string, unknown>; whyNot?: never } | { input?: never; whyNot: GraceError } {
  const goal = { text, principal, plan: plan.id };
  try {
    const input = readInputs(plan, { input: given, said, goal, event });
    if (plan.when === null) return { input };
    const told = tell(plan.when, { goal, input, event, context });
    if (told.verdict === 'holds') return { input };
    return { whyNot: new GraceError('CONFLICT', `plan ${plan.id} does not apply now: ${told.why}`, { plan: plan.id }) };
  } catch (error) {
    if (error instanceof GraceError) return { whyNot: error };
    throw error;
  }
}
