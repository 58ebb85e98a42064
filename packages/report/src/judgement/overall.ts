import type { RunResult } from '@grace/contracts';
import type { Mark, Overall, RunFacts } from '../model.ts';
import { plural } from '../text/units.ts';

const WORDS: Readonly<Record<number, { word: string; mark: Mark }>> = {
  0: { word: 'HELD', mark: 'ok' },
  1: { word: 'BROKEN', mark: 'bad' },
  2: { word: 'INCONCLUSIVE', mark: 'unknown' },
  3: { word: 'CLEANUP INCOMPLETE', mark: 'bad' },
  4: { word: 'WORSE THAN THE BASELINE', mark: 'bad' },
  130: { word: 'INTERRUPTED', mark: 'unknown' },
};

/** The one word above the report. It is the exit's word, unless the trials are worse than the exit claims: then theirs. */
export function overall(result: RunResult, run: RunFacts): Overall {
  const trials = result.waves.flatMap((wave) => wave.trials);
  const broken = trials.filter((trial) => trial.verdict === 'broken').length;
  const inconclusive = trials.filter((trial) => trial.verdict === 'inconclusive').length;
  const skipped = result.waves.filter((wave) => wave.skipped !== null).length;
  const also: string[] = [];
  if (broken > 0) also.push(`${plural(broken, 'trial')} broken`);
  if (inconclusive > 0) also.push(`${plural(inconclusive, 'trial')} inconclusive`);
  if (skipped > 0) also.push(`${plural(skipped, 'wave')} not run`);
  if (run.cleanup?.ok === false) also.push('cleanup incomplete');
  if (run.interrupted === true) also.push('interrupted');
  if (trials.length === 0) also.push('no trial was run');
  const said = WORDS[result.exit.code] ?? { word: `FAILED WITH EXIT CODE ${result.exit.code}`, mark: 'bad' as const };
  if (said.mark !== 'ok') return { ...said, also };
  if (run.cleanup?.ok === false) return { ...WORDS[3]!, also };
  if (broken > 0) return { ...WORDS[1]!, also };
  if (run.interrupted === true) return { ...WORDS[130]!, also };
  return inconclusive > 0 || skipped > 0 || trials.length === 0 ? { ...WORDS[2]!, also } : { ...said, also };
}
