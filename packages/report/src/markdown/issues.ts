import type { ChainStep, Issue, ReportModel } from '../model.ts';
import { text } from '../text/escape.ts';
import { duration } from '../text/units.ts';
import type { Style } from './marks.ts';
import { claim, sign } from './marks.ts';

const GROUPS: readonly [Issue['severity'], string][] = [
  ['critical', 'Critical issues'],
  ['major', 'Major issues'],
  ['minor', 'Minor issues'],
];

/** How many steps of a chain are shown from its start and to its end. */
const CHAIN_HEAD = 9;
const CHAIN_TAIL = 4;

export function issues(model: ReportModel): string[] {
  const blocks = ['## Issues detected'];
  if (model.issues.length === 0) blocks.push('None. Every trial held and nothing else stood out in the journal.');
  let number = 0;
  for (const [severity, title] of GROUPS) {
    const group = model.issues.filter((issue) => issue.severity === severity);
    if (group.length > 0) blocks.push(`### ${title}`);
    for (const issue of group) {
      number += 1;
      blocks.push(
        `#### ${number}. ${text(issue.title)}`,
        [
          `- **Problem:** ${claim(issue.problem)}`,
          `- **Impact:** ${claim(issue.impact)}`,
          `- **Root cause:** ${text(issue.rootCause.text)}${chain(issue.rootCause.chain)}`,
          ...issue.recommendation.map((advice) => `- **Recommendation:** ${claim(advice)}`),
        ].join('\n'),
      );
    }
  }
  return [...blocks, '---'];
}

function chain(steps: readonly ChainStep[]): string {
  const line = (step: ChainStep) =>
    `\n  1. ${text(step.ref)} ${step.afterMs < 0 ? '' : '+'}${duration(step.afterMs)}: ${text(step.text)} *(${text(step.link)})*`;
  if (steps.length <= CHAIN_HEAD + CHAIN_TAIL + 1) return steps.map(line).join('');
  const hidden = steps.slice(CHAIN_HEAD, -CHAIN_TAIL);
  return [
    ...steps.slice(0, CHAIN_HEAD).map(line),
    `\n  1. ${hidden.length} more records, ${text(hidden[0]?.ref ?? '')} to ${text(hidden.at(-1)?.ref ?? '')}`,
    ...steps.slice(-CHAIN_TAIL).map(line),
  ].join('');
}

export function working(model: ReportModel, { ascii }: Style): string[] {
  return [
    '## Systems working correctly',
    model.working.length === 0
      ? 'The journal shows none.'
      : model.working.map((entry) => `- ${sign('ok', ascii)} ${claim(entry)}`).join('\n'),
    '---',
  ];
}
