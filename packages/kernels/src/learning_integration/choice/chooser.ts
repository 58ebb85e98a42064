import { randomInt, randomUUID } from 'node:crypto';
import type { KernelContext } from '@grace/kernel-sdk';
import type { Courier, Decision } from '../courier.ts';
import type { OutcomeBook } from '../outcomes/book.ts';
import { candidateOf, createForecast, type Expectation } from '../outcomes/knowledge.ts';
import { choose } from './choose.ts';
import type { Choice, ChoiceRecord } from './record.ts';

export interface Question {
  signature: string;
  /** Ids that differ, in the asker's order; at least one. */
  candidates: string[];
  seed: number | undefined;
  incident: string | undefined;
  by: string;
  correlation: string | undefined;
}

type Shown = Omit<Expectation, 'alpha' | 'beta'>;

export interface Answer {
  playbook: string;
  why: string;
  /** Another was more likely to heal, and something is learned by trying this one. */
  explored: boolean;
  expected: Shown;
  alternatives: Shown[];
  /** With the seed, what the choice can be drawn again from; null: there was nothing to choose. */
  choice: string | null;
  seed: number | null;
}

export const SEED_MAX = 0xffffffff;

/** Which playbook next? What is chosen is on disk before it is answered. */
export function createChooser(parts: {
  ctx: KernelContext;
  outcomes: OutcomeBook;
  choices: ChoiceRecord;
  courier: Courier;
  halfLifeMs: number;
}): (question: Question) => Answer {
  const { ctx, outcomes, choices, courier, halfLifeMs } = parts;
  return (question) => {
    const { signature, candidates, by, incident } = question;
    const nowMs = ctx.clock.wallMs();
    const forecast = createForecast(outcomes, { nowMs, halfLifeMs });
    const expected = candidates.map((id) => forecast(signature, id));
    const [only] = expected;
    if (expected.length === 1) {
      const why = 'it is the only candidate';
      return {
        playbook: only!.playbook,
        why,
        explored: false,
        expected: shown(only!),
        alternatives: [],
        choice: null,
        seed: null,
      };
    }
    const seed = question.seed ?? randomInt(SEED_MAX + 1);
    const drawn = choose(expected.map(candidateOf), seed);
    const { playbook, explored } = drawn;
    const best = expected.find((one) => one.playbook === playbook)!;
    const others = expected.filter((one) => one !== best);
    const choice: Choice = {
      id: `choice-${randomUUID()}`,
      ...{ atMs: nowMs, by, signature, incident: incident ?? null, seed, playbook, explored },
      candidates: expected.map(candidateOf),
    };
    const why = whyOf(best, expected, explored);
    ctx.store.transaction(() => {
      choices.keep(choice);
      courier.put(decisionOf(choice, why, best, others, question.correlation));
    });
    courier.wake();
    return { playbook, why, explored, expected: shown(best), alternatives: others.map(shown), choice: choice.id, seed };
  };
}

/** A choice drawn again from what it was drawn from. */
export function redraw({ candidates, seed }: Choice): {
  playbook: string;
  draws: { playbook: string; drawn: number }[];
} {
  const { playbook, draws } = choose(candidates, seed);
  return { playbook, draws: candidates.map((one, i) => ({ playbook: one.playbook, drawn: draws[i]! })) };
}

function whyOf(chosen: Expectation, all: readonly Expectation[], explored: boolean): string {
  if (all.every(({ runs, elsewhere }) => runs + elsewhere === 0))
    return 'nothing is known of any candidate; it was drawn by lot';
  const words = wordsOf(chosen);
  if (!explored) return `${words}; none is expected to heal more often`;
  const best = all.reduce((a, b) => (b.mean > a.mean ? b : a));
  return `${words}; ${best.playbook} is expected to heal more often (${percent(best.mean)}), but it is not certain enough, so this one was tried`;
}

function wordsOf({ runs, healed, elsewhere, mean, low, high }: Expectation): string {
  const seen = runs === 0 ? 'it was never run against this' : `it healed ${healed} of ${runs} here`;
  const pooled = elsewhere === 0 ? '' : `, with ${elsewhere} ${elsewhere === 1 ? 'run' : 'runs'} against others`;
  return `${seen}${pooled}: expected to heal ${percent(mean)} (${percent(low)} to ${percent(high)})`;
}

function decisionOf(
  choice: Choice,
  why: string,
  chosen: Expectation,
  others: readonly Expectation[],
  correlation: string | undefined,
): Decision {
  const { id, playbook, signature, seed, incident } = choice;
  return {
    what: `try the playbook ${playbook} against ${signature}`.slice(0, 1000),
    why: why.slice(0, 4000),
    how: `Thompson sampling with the seed ${seed}; grace call learning_integration choices '{"id": "${id}"}' draws it again`,
    alternatives: others.slice(0, 20).map((one) => ({ what: one.playbook, whyNot: wordsOf(one) })),
    confidence: chosen.mean,
    key: id,
    ...(incident === null ? {} : { evidence: { incidents: [incident] } }),
    ...(correlation === undefined ? {} : { correlation }),
  };
}

function shown({ alpha: _, beta: __, ...rest }: Expectation): Shown {
  return rest;
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}
