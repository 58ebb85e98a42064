import type { Publication } from './story.ts';

export type Rule =
  | 'lost'
  | 'handled again'
  | 'kept twice'
  | 'attempt'
  | 'order'
  | 'phantom'
  | 'refused and delivered'
  | 'unanswered'
  | 'dead letter'
  | 'account';

/** What the history contradicts, with the keys of the messages and the lines it rests on. */
export interface Violation {
  rule: Rule;
  keys: string[];
  message: string;
}

export const nameOf = ({ s, n, key, publisher }: Publication): string => `${s} n=${n} of ${publisher} (${key})`;

/** `*` is one token, `>` the rest. */
export function matches(pattern: string, subject: string): boolean {
  const tokens = subject.split('.');
  const wanted = pattern.split('.');
  if (wanted.at(-1) === '>') return tokens.length >= wanted.length && agree(wanted.slice(0, -1), tokens);
  return tokens.length === wanted.length && agree(wanted, tokens);
}

const agree = (wanted: string[], tokens: string[]): boolean =>
  wanted.every((token, i) => token === '*' || token === tokens[i]);
