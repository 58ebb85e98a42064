import { runsOf } from './diff.ts';
import { applyEdits, type Edit } from './edit.ts';

/** A piece of a text and what stands in its place afterwards. `at` counts UTF-16 units of the text before. */
export interface Exchange {
  at: number;
  before: string;
  after: string;
}

/**
 * What differs between two texts, and nothing of what stands around it: this is what of a patch is kept, so that a file's other content, and
 * with it what may be secret there, does not lie in this kernel's store as well.
 */
export function exchangesOf(before: string, after: string): Exchange[] {
  return runsOf(before, after).map(({ at, taken, put }) => {
    const most = Math.min(taken.length, put.length);
    let start = 0;
    while (start < most && taken[start] === put[start]) start++;
    let end = 0;
    while (end < most - start && taken[taken.length - 1 - end] === put[put.length - 1 - end]) end++;
    return {
      at: at + start,
      before: taken.slice(start, taken.length - end),
      after: put.slice(start, put.length - end),
    };
  });
}

/** @throws Error for a text that is too short for it: then it is not the one that was patched */
export function exchange(text: string, exchanges: readonly Exchange[], way: 'apply' | 'revert'): string {
  let shift = 0;
  const edits = exchanges.map(({ at, before, after }): Edit => {
    if (way === 'apply') return { start: at, end: at + before.length, text: after };
    const start = at + shift;
    shift += after.length - before.length;
    return { start, end: start + after.length, text: before };
  });
  return applyEdits(text, edits);
}
