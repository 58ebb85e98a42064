import type { ReportModel } from '../model.ts';
import { fence, text } from '../text/escape.ts';
import { count } from '../text/units.ts';
import type { Style } from './marks.ts';
import { claim, sign } from './marks.ts';

export function closing(model: ReportModel, { ascii }: Style): string[] {
  const { run, overall } = model;
  return [
    '## Positive findings',
    model.findings.length === 0
      ? 'None: no trial held.'
      : model.findings.map((entry) => `- ${claim(entry)}`).join('\n'),
    '---',
    '## What was not tested',
    model.untested.map((entry) => `- ${claim(entry)}`).join('\n'),
    '---',
    '## Next steps',
    model.nextSteps.map((entry, at) => `${at + 1}. ${claim(entry)}`).join('\n'),
    '---',
    '## Conclusion',
    `${ascii ? '' : `${sign(overall.mark, ascii)} `}**${text(overall.word)}.** ${model.conclusion.map(text).join(' ')}`,
    '---',
    '## Replay',
    run.command === ''
      ? 'The command of this run is not recorded.'
      : `The same seed makes the same decisions (targets, order, times); how threads interleave is not replayable.\n\n${fence(replay(run.command, run.seed), 'sh')}`,
    [
      `**Test executed:** ${text(run.startedAt)}  `,
      `**Journal:** ${count(run.records.count)} records${run.records.first === null ? '' : `, #${run.records.first} to #${run.records.last}`}  `,
      `**Exit code:** ${model.exit.code} - ${text(model.exit.reason)}`,
    ].join('\n'),
  ];
}

/** The command as recorded, with the seed that was drawn when it named none. */
function replay(command: string, seed: number | null): string {
  return seed === null || /(^|\s)--seed[=\s]/.test(command) ? command : `${command} --seed ${seed}`;
}
