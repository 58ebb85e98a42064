import { didYouMean } from '@grace/contracts';

/** `{name}` takes one word, `{name...}` several. */
const HOLE = /^\{([A-Za-z][A-Za-z0-9_]*)(\.\.\.)?\}$/;

/** A goal as words. Quotes and punctuation at the ends of words are not part of them. */
export function wordsOf(text: string): string[] {
  return text.split(/\s+/).flatMap((word) => {
    const bare = word.replace(/^["'«„“(]+/, '').replace(/["'»“”),;!?.:]+$/, '');
    return bare === '' ? [] : [bare];
  });
}

/** Why a pattern cannot be used, or undefined. */
export function patternProblem(pattern: string, inputs: readonly string[]): string | undefined {
  const words = pattern.trim().split(/\s+/);
  let literal = 0;
  for (const [i, word] of words.entries()) {
    const hole = HOLE.exec(word);
    if (!hole) {
      if (/[{}]/.test(word)) return `expected {input} or {input...} as a word of its own, got "${word.slice(0, 40)}"`;
      literal++;
      continue;
    }
    if (!inputs.includes(hole[1]!)) return `the plan has no input "${hole[1]}"${didYouMean(hole[1]!, inputs)}`;
    const next = words[i + 1];
    if (hole[2] && next !== undefined && HOLE.test(next))
      return 'expected a word after {input...}: where it ends could not be told';
  }
  return literal > 0 ? undefined : 'expected at least one word that is no input';
}

/** A goal's text held against a pattern: the inputs it names, and how many of its words are said by the pattern. */
export interface PatternMatch {
  pattern: string;
  inputs: Record<string, string>;
  literal: number;
}

/** The whole text must fit. `{input...}` ends at the next word of the pattern. Linear in the words of the goal. */
export function matchPattern(pattern: string, words: readonly string[]): PatternMatch | undefined {
  const parts = pattern.trim().split(/\s+/);
  const inputs: Record<string, string> = {};
  let at = 0;
  let literal = 0;
  for (const [i, part] of parts.entries()) {
    const hole = HOLE.exec(part);
    if (!hole) {
      if (words[at]?.toLowerCase() !== part.toLowerCase()) return undefined;
      at++;
      literal++;
      continue;
    }
    const from = at;
    if (!hole[2]) at++;
    else if (i === parts.length - 1) at = words.length;
    else {
      const end = parts[i + 1]!.toLowerCase();
      at++;
      while (at < words.length && words[at]!.toLowerCase() !== end) at++;
    }
    if (at > words.length || at === from) return undefined;
    inputs[hole[1]!] = words.slice(from, at).join(' ');
  }
  return at === words.length ? { pattern, inputs, literal } : undefined;
}
