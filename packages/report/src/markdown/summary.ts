import type { ReportModel } from '../model.ts';
import { code, text } from '../text/escape.ts';
import { count, duration, list, percent, plural } from '../text/units.ts';
import type { Style } from './marks.ts';
import { evidence, sign } from './marks.ts';

export function heading(model: ReportModel, { ascii }: Style): string[] {
  const { run, overall } = model;
  const also = overall.also.length === 0 ? '' : list(overall.also);
  return [
    `# Stress test report - ${text(run.date)} - ${ascii ? '' : `${sign(overall.mark, ascii)} `}${text(overall.word)}`,
    [
      `**Test:** ${plural(run.scenarios.length, 'scenario')}, ${plural(model.totals.trials, 'trial')} in ${plural(model.totals.waves, 'wave')}  `,
      `**Run:** ${code(run.id)}  `,
      `**Date:** ${text(run.date)} ${text(run.time)} UTC  `,
      `**Verdict:** ${text(overall.word)}${also === '' ? '' : ` (${text(also)})`}, exit code ${model.exit.code}`,
    ].join('\n'),
    '---',
  ];
}

export function summary(model: ReportModel, { ascii }: Style): string[] {
  const { run, totals, overall } = model;
  const machine = [
    run.node === 'not recorded' ? null : `Node ${run.node.replace(/^v/, '')}`,
    run.cores === null ? null : plural(run.cores, 'core'),
    run.commit === null ? null : `commit ${run.commit.slice(0, 12)}${run.dirty === true ? ' with local changes' : ''}`,
  ].filter((part) => part !== null);
  const facts = [
    `Grace ${run.version} was put through ${plural(totals.trials, 'trial')} of ${plural(new Set(model.waves.flatMap((wave) => wave.trials.map((trial) => trial.scenario))).size, 'scenario')} in ${plural(totals.waves, 'wave')}${run.durationMs === null ? '' : ` over ${duration(run.durationMs)}`}, with seed ${run.seed ?? 'not recorded'}${machine.length === 0 ? '' : `, on ${list(machine)}`}.`,
    `${count(totals.held)} held, ${count(totals.broken)} broken, ${count(totals.inconclusive)} inconclusive: a rate of ${percent(totals.successRate)}, of which this many trials prove at least ${percent(totals.successLowerBound)} (95 % Wilson).`,
    `${count(totals.kernelsBooted)} of ${plural(totals.kernelsTotal, 'kernel')} booted and ${count(totals.kernelsFinal)} of ${count(totals.kernelsTotal)} ${totals.kernelsFinal === 1 ? 'was' : 'were'} running at the end.`,
    `The verdict is ${overall.word}: ${model.exit.reason}`,
  ];
  return [
    '## Executive summary',
    text(facts.join(' ')),
    model.areas
      .map(
        (area) => `- ${sign(area.mark, ascii)} **${text(area.name)}** - ${text(area.text)}${evidence(area.evidence)}`,
      )
      .join('\n'),
    '---',
  ];
}

export function howToRead(): string[] {
  return [
    '## How to read this',
    [
      '- `#12` is record 12 of the journal beside this file. Every statement about the run rests on such records; what no record shows is not claimed, or called *not recorded*.',
      '- **held**: the fault was proven to act, it was noticed and recovered from within the objective, every check is true, and nobody else was harmed. **broken**: one of these is false. **inconclusive**: it could not be found out; it never counts as held.',
      '- Four instants on one monotonic clock, as `T+` seconds of the run: *injected* (first observed effect of the fault), *detected*, *mitigated* (a playbook or the restart engine acted), *recovered* (the steady state is back and has held). TTD, TTM and TTR are the times from *injected* to the other three.',
      '- A time like `> 60 s` is censored: it had not happened when the watch ended. Such times stay in the statistics.',
      '- The rate is given with the lower bound of its 95 % Wilson interval: what so few trials can prove.',
    ].join('\n'),
    '---',
  ];
}
