import type { Verdict } from '../verdict/verdict.ts';

/** What an invariant has shown in a row. */
export interface Streak {
  /** Times broken since it last held; what was unknown in between neither accuses nor acquits. */
  broken: number;
  violated: boolean;
}

export const newStreak = (violated = false): Streak => ({ broken: 0, violated });

/** Takes one more verdict. Pure but for `streak`. Says what began or ended with it. */
export function step(streak: Streak, verdict: Verdict, after: number): 'begins' | 'ends' | undefined {
  if (verdict === 'unknown') return undefined;
  if (verdict === 'holds') {
    streak.broken = 0;
    if (!streak.violated) return undefined;
    streak.violated = false;
    return 'ends';
  }
  streak.broken++;
  if (streak.violated || streak.broken < after) return undefined;
  streak.violated = true;
  return 'begins';
}
