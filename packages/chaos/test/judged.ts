import type { AnyRecord, TrialResult } from '@grace/contracts';
import { judgeRun } from '../src/verdict/judge-run.ts';
import { type Event, story } from './story.ts';

export const trialOf = (records: readonly AnyRecord[]): TrialResult => judgeRun(records).waves[0]!.trials[0]!;
export const verdictOf = (changes: Record<string, Event[]>): string => trialOf(story(changes)).verdict;

export const other = (at: number, kernel = 'librarian'): Event => ({
  at,
  name: 'kernel:restart',
  kernel,
  data: { cause: 'hung', attempt: 1, delayMs: 0, by: 'restart engine' },
});
