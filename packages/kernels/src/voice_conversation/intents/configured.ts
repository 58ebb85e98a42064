import { GraceError } from '@grace/contracts';
import { is, readInput } from '@grace/kernel-sdk';
import { describeFailure } from './about-kernel.ts';
import { parsePhrase } from './grammar.ts';
import type { Intent } from './live.ts';
import { tellFacts } from './tell.ts';

/** An intent of grace.yaml: phrases for a verb. Governance is asked before each call. */
export interface ConfiguredIntent {
  id: string;
  phrases: readonly string[];
  kernel: string;
  verb: string;
  input: Readonly<Record<string, unknown>>;
}

const INTENTS_MAX = 100;
const word = is.string({ max: 64, pattern: /^[A-Za-z][A-Za-z0-9_]*$/, what: 'a name' });

/** @throws GraceError `BAD_INPUT` naming the intent and what was expected */
export function readIntents(given: unknown): ConfiguredIntent[] {
  const list = is.optional(is.array(is.record(), { max: INTENTS_MAX }))(given, 'input.intents') ?? [];
  const intents = list.map((one) => {
    const { id, phrases, kernel, verb, input } = readInput(one, {
      id: word,
      phrases: is.array(is.string({ max: 300 }), { max: 20 }),
      kernel: word,
      verb: word,
      input: is.optional(is.record()),
    });
    if (phrases.length === 0) throw new GraceError('BAD_INPUT', `input.intents: ${id} has no phrases`);
    for (const phrase of phrases) parsePhrase(phrase);
    return { id, phrases, kernel, verb, input: input ?? {} };
  });
  const twice = intents.find(({ id }, i) => intents.findIndex((other) => other.id === id) !== i);
  if (twice) throw new GraceError('BAD_INPUT', `input.intents: ${twice.id} stands there twice`);
  return intents;
}

/** `{rest}` in a string of the input stands for the words that were said there. */
/** @param refusal why governance does not let it be called; null: it does */
export function intentOf(one: ConfiguredIntent, refusal: (verb: string) => Promise<string | null>): Intent {
  const { id, phrases, kernel, verb, input } = one;
  return {
    id,
    title: `what ${kernel}.${verb} answers`,
    phrases,
    reads: [`${kernel}.${verb}`],
    example: `${phrases[0]}`,
    async answer(live, slots) {
      const refused = await refusal(`${kernel}.${verb}`);
      if (refused !== null) return { text: `${kernel}.${verb} is not called: ${refused}` };
      const filled = Object.fromEntries(
        Object.entries(input).map(([key, value]) => [
          key,
          typeof value === 'string' ? value.replaceAll('{rest}', () => (slots.rest ?? []).join(' ')) : value,
        ]),
      );
      const asked = await live.ask(kernel, verb, filled);
      return { text: asked.ok ? `${kernel} answers: ${tellFacts(asked.value)}.` : describeFailure(kernel, asked) };
    },
  };
}
