import { type Comparison, compare } from '../judge/compare.ts';
import { median } from '../judge/summary.ts';
import { isMaterial } from '../judge/verdict.ts';

/** Values after the change at which it is looked at; between them, nothing is decided. */
export const LOOKS = [5, 8, 12, 16, 24, 32] as const;
/** Over all looks together: how often a knob that does nothing is called better, or worse, by chance. */
const ALPHA = 0.05;

export interface WatchOptions {
  counts: boolean;
  /** No look before as many values; the looks taken before. */
  looks: number;
  /** Its time is over. */
  late: boolean;
}

export interface WatchVerdict {
  decision: 'go on' | 'keep' | 'roll back';
  looks: number;
  why: string;
}

/**
 * Whether what follows a change is better than what was before. Less is better. One value decides nothing: it takes as many as the next look
 * asks for, and a difference that chance makes in one of twenty experiments at most. What has not helped when its time is over is taken
 * back, since the value before is the one somebody chose. Pure.
 */
export function judgeExperiment(
  before: readonly number[],
  after: readonly number[],
  options: WatchOptions,
): WatchVerdict {
  const next = LOOKS[options.looks];
  if (next === undefined || after.length < next) {
    if (!options.late && next !== undefined)
      return { decision: 'go on', looks: options.looks, why: `${after.length} of ${next} values until the next look` };
    const why =
      next === undefined
        ? 'no improvement is shown by the last look'
        : `its time is over with ${after.length} values, too few to show an improvement`;
    return { decision: 'roll back', looks: options.looks, why };
  }
  // Several looks may have become due at once.
  let { looks } = options;
  while (LOOKS[looks] !== undefined && after.length >= LOOKS[looks]!) looks++;
  const found = compare(before, after, options.counts);
  const alpha = ALPHA / LOOKS.length;
  const level = { shift: found.shift, before: { n: before.length, median: median(before) ?? 0 } };
  const material = isMaterial(level, options.counts);
  if (material && found.shift > 0 && found.pHigher <= alpha)
    return { decision: 'roll back', looks, why: `it became worse: ${words(before, after, found, found.pHigher)}` };
  if (material && found.shift < 0 && found.pLower <= alpha)
    return { decision: 'keep', looks, why: `it became better: ${words(before, after, found, found.pLower)}` };
  if (looks === LOOKS.length || options.late)
    return {
      decision: 'roll back',
      looks,
      why: `no improvement is shown: ${words(before, after, found, found.pLower)}`,
    };
  return {
    decision: 'go on',
    looks,
    why: `not clear yet: ${words(before, after, found, Math.min(found.pHigher, found.pLower))}`,
  };
}

function words(before: readonly number[], after: readonly number[], { shift }: Comparison, p: number): string {
  const level = (values: readonly number[]): string => `${round(median(values) ?? 0)} (${values.length})`;
  return `median ${level(before)} before, ${level(after)} after, shift ${round(shift)}, p ${p.toPrecision(2)}`;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
