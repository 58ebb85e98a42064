import { GraceError } from '@grace/contracts';
import { wordsOf } from './words.ts';

/**
 * A phrase as it may be said: words; `(this|that)` one of several; `[now]` or `[now|today]` said or not; `{kernel}` one to four words that
 * name a kernel; `{rest}` one or more words, whatever they are.
 */
export type Part =
  | { kind: 'word'; word: string }
  | { kind: 'choice'; options: Part[][] }
  | { kind: 'slot'; name: SlotName };
export type SlotName = 'kernel' | 'rest';
export type Slots = Partial<Record<SlotName, string[]>>;

const SLOT_WORDS: Record<SlotName, number> = { kernel: 4, rest: 1000 };
const PHRASE_MAX = 300;
const DEPTH_MAX = 4;

/** @throws GraceError `BAD_INPUT` saying what is wrong with the phrase and where */
export function parsePhrase(phrase: string): Part[] {
  if (phrase.length > PHRASE_MAX) throw wrong(phrase, `it is longer than ${PHRASE_MAX} characters`);
  const tokens = phrase.match(/[()[\]|]|\{[^{}]*\}|[^\s()[\]{}|]+|[{}]/g) ?? [];
  let at = 0;
  const sequence = (depth: number): Part[] => {
    const parts: Part[] = [];
    for (; at < tokens.length && !['|', ')', ']'].includes(tokens[at]!); ) {
      const token = tokens[at++]!;
      if (token === '(' || token === '[') parts.push(choice(token, depth + 1));
      else if (token.startsWith('{')) parts.push(slot(token));
      else parts.push(...wordsOf(token).map((word): Part => ({ kind: 'word', word })));
    }
    return parts;
  };
  const choice = (open: string, depth: number): Part => {
    if (depth > DEPTH_MAX) throw wrong(phrase, `brackets lie deeper than ${DEPTH_MAX}`);
    const options = [sequence(depth)];
    while (tokens[at] === '|') {
      at++;
      options.push(sequence(depth));
    }
    const close = open === '(' ? ')' : ']';
    if (tokens[at++] !== close) throw wrong(phrase, `"${open}" is not closed by "${close}"`);
    if (open === '[') options.push([]);
    return { kind: 'choice', options };
  };
  const slot = (token: string): Part => {
    const name = token.slice(1, -1);
    if (name !== 'kernel' && name !== 'rest') throw wrong(phrase, `"${token}" is none of {kernel} and {rest}`);
    return { kind: 'slot', name };
  };
  const parts = sequence(0);
  if (at < tokens.length) throw wrong(phrase, `"${tokens[at]}" closes or divides nothing`);
  if (isSayable(parts)) throw wrong(phrase, 'it may be said by saying nothing');
  return parts;
}

/** Whether it may be said without a word. */
function isSayable(parts: readonly Part[]): boolean {
  return parts.every((part) => part.kind === 'choice' && part.options.some(isSayable));
}

/** A place in the words, what the slots had on the way there, and how many words that is. */
interface Reached {
  at: number;
  slots: Slots;
  taken: number;
}

/** What the slots hold when the words are the phrase, whole; null when they are not. Slots take as few words as they can. */
export function matchPhrase(parts: readonly Part[], words: readonly string[]): Slots | null {
  const ends = follow(parts, words, [{ at: 0, slots: {}, taken: 0 }]);
  return ends.find(({ at }) => at === words.length)?.slots ?? null;
}

/** Goes on from all places at once, each place once: no phrase makes this slower than words times parts. */
function follow(parts: readonly Part[], words: readonly string[], from: readonly Reached[]): Reached[] {
  let here: Reached[] = [...from];
  for (const part of parts) {
    const next = new Map<number, Reached>();
    const reach = (one: Reached): void => {
      const other = next.get(one.at);
      if (!other || one.taken < other.taken) next.set(one.at, one);
    };
    if (part.kind === 'choice') {
      for (const option of part.options) for (const one of follow(option, words, here)) reach(one);
    } else {
      for (const { at, slots, taken } of here) {
        if (part.kind === 'word') {
          if (words[at] === part.word) reach({ at: at + 1, slots, taken });
          continue;
        }
        const most = Math.min(words.length, at + SLOT_WORDS[part.name]);
        for (let end = at + 1; end <= most; end++)
          reach({ at: end, slots: { ...slots, [part.name]: words.slice(at, end) }, taken: taken + end - at });
      }
    }
    here = [...next.values()];
    if (here.length === 0) break;
  }
  return here;
}

function wrong(phrase: string, what: string): GraceError {
  return new GraceError('BAD_INPUT', `the phrase ${JSON.stringify(phrase.slice(0, 60))}: ${what}`, {
    phrase: phrase.slice(0, 60),
  });
}
