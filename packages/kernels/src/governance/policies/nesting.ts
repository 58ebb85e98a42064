import type { PolicyFile } from './policy-set.ts';
import { type PolicyProblem, placeOf } from './problems.ts';

/** Brackets within brackets. Cedar's parser overflows its stack between 128 and 256 in a thread of the default size. */
const NESTING_MAX = 64;

/** The parser must not see what would break it, so brackets are counted before it does; those in strings and comments do not count. */
export function tooDeep({ name, text }: PolicyFile): PolicyProblem[] {
  let depth = 0;
  for (const { 0: token, index } of text.matchAll(/"(?:[^"\\]|\\.)*"|\/\/[^\n]*|[([{}\])]/gs)) {
    if (token.length > 1) continue;
    depth += '([{'.includes(token) ? 1 : -1;
    if (depth > NESTING_MAX) {
      const place = placeOf(text, 0, index);
      return [{ file: name, ...place, message: `expected brackets nested at most ${NESTING_MAX} deep` }];
    }
  }
  return [];
}
