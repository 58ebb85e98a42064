import { contentWords } from '../words/words.ts';

/**
 * What of a memory stands in the full text: its content words and those of its tags. The full text keeps no copy, so taking a memory out
 * needs the very words it was put in with.
 */
export function wordColumns(text: string, tags: readonly string[]): [words: string, tags: string] {
  return [contentWords(text).join(' '), contentWords(tags.join(' ')).join(' ')];
}
