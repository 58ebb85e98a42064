import { GraceError, nearest } from '@grace/contracts';
import { matchPhrase, type Part, parsePhrase, type Slots } from './grammar.ts';
import type { Asked, CallMade, Intent, Live, Said } from './live.ts';
import { shortened } from './tell.ts';
import { wordsOf } from './words.ts';

export interface Understood {
  intent: Intent;
  slots: Slots;
}

export interface Answer {
  /** Null: not understood. */
  intent: string | null;
  answer: string;
  suggestion: string | null;
  calls: CallMade[];
}

export const ANSWER_MAX = 2000;

/** What somebody says, told apart by the phrases of a table. The first intent with a phrase that is all of what was said is meant. */
export class Understanding {
  readonly intents: readonly Intent[];
  readonly #phrases: { intent: Intent; parts: Part[] }[];

  /** @throws GraceError `BAD_INPUT` for a phrase that is not well formed */
  constructor(intents: readonly Intent[]) {
    this.intents = intents;
    this.#phrases = intents.flatMap((intent) =>
      intent.phrases.map((phrase) => ({ intent, parts: parsePhrase(phrase) })),
    );
  }

  read(text: string): Understood | null {
    const words = wordsOf(text);
    for (const { intent, parts } of this.#phrases) {
      const slots = matchPhrase(parts, words);
      if (slots) return { intent, slots };
    }
    return null;
  }

  async answer(text: string, view: Omit<Live, 'examples'>): Promise<Answer> {
    const understood = this.read(text);
    const examples = this.intents.map(({ example }) => example);
    if (!understood) return { intent: null, answer: notUnderstood(text, examples), suggestion: null, calls: [] };
    const calls: CallMade[] = [];
    const live: Live = {
      ...view,
      examples,
      async ask(kernel, verb, input) {
        const startMs = performance.now();
        const asked = await view.ask(kernel, verb, input);
        const ms = Math.round(performance.now() - startMs);
        calls.push({ kernel, verb, ok: asked.ok, ...(asked.ok ? {} : { code: asked.code }), ms });
        return asked;
      },
    };
    const { intent, slots } = understood;
    const said = await told(intent, live, slots);
    return {
      intent: intent.id,
      answer: shortened(said.text, ANSWER_MAX),
      suggestion: said.suggestion ?? null,
      calls,
    };
  }
}

/** An answer whose shape is not the one that is read here is told as what it is, a defect. */
async function told(intent: Intent, live: Live, slots: Slots): Promise<Said> {
  try {
    return await intent.answer(live, slots);
  } catch (error) {
    return { text: `${intent.id}: the answer cannot be read: ${error instanceof Error ? error.message : error}` };
  }
}

function notUnderstood(text: string, examples: readonly string[]): string {
  const near = nearest(text.slice(0, 80), examples);
  return near === undefined
    ? 'That was not understood. Say "help" for what can be asked.'
    : `That was not understood. Did you mean "${near}"?`;
}

/** What was asked of a verb as an answer, whatever became of it. */
export async function asked(call: () => Promise<unknown>): Promise<Asked> {
  try {
    return { ok: true, value: await call() };
  } catch (error) {
    const code = error instanceof GraceError ? error.code : 'INTERNAL';
    return { ok: false, code, message: error instanceof Error ? error.message : String(error) };
  }
}
