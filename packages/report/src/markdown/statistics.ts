import type { Chart } from '../charts/chart.ts';
import type { ReportModel } from '../model.ts';
import { text } from '../text/escape.ts';
import { table } from '../text/table.ts';
import { count, duration, measured, percent, plural } from '../text/units.ts';
import { agreement, COUNTERS, counterCells, sides } from './conservation.ts';

const PICTURES: readonly [name: string, alt: string][] = [
  ['kernel-health.svg', 'State of each kernel over the time of the run'],
  ['workload-latency.svg', 'p99 latency of the synthetic workload over the time of the run'],
  ['recovery-times.svg', 'Time to detect and time to recover of each trial'],
];

export function statistics(model: ReportModel, charts: readonly Chart[]): string[] {
  const { totals, run } = model;
  const share = (n: number) => (totals.kernelsTotal > 0 ? ` (${percent(n / totals.kernelsTotal)})` : '');
  const rows: [string, string][] = [
    [
      'Waves run',
      `${count(totals.waves)}${totals.wavesPlanned === null ? '' : `/${count(totals.wavesPlanned)}`}${totals.wavesSkipped > 0 ? `, ${count(totals.wavesSkipped)} not run` : ''}`,
    ],
    ['Scenarios passed (held)', `${count(totals.held)} of ${plural(totals.trials, 'trial')}`],
    ['Scenarios failed (broken)', `${count(totals.broken)} of ${plural(totals.trials, 'trial')}`],
    ['Inconclusive', `${count(totals.inconclusive)} of ${plural(totals.trials, 'trial')}`],
    ['Success rate', percent(totals.successRate)],
    [
      'Success rate, 95 % Wilson lower bound',
      `${percent(totals.successLowerBound)} (${count(totals.held)} of ${count(totals.trials)} trials)`,
    ],
    ['Kernels booted', `${count(totals.kernelsBooted)}/${count(totals.kernelsTotal)}${share(totals.kernelsBooted)}`],
    ['Final kernel count', `${count(totals.kernelsFinal)}/${count(totals.kernelsTotal)}${share(totals.kernelsFinal)}`],
    ['Incidents opened', count(totals.incidents)],
    ['Escalations', count(totals.escalations)],
    ['Restarts', count(totals.restarts)],
    ['False restarts', count(totals.falseRestarts)],
    ['Lost messages', count(totals.lostMessages)],
    ['Runner late by at most', duration(run.runnerLagMsMax)],
    ['Duration of the run', duration(run.durationMs)],
  ];
  if (model.autofix !== null)
    rows.push(['Auto-fix tasks', count(totals.autofixTasks)], ['Syntax errors found', count(totals.syntaxErrorsFound)]);
  const trials = model.waves.flatMap((wave) => wave.trials);
  return [
    '## Overall statistics',
    table(
      ['Metric', 'Value'],
      rows.map(([metric, value]) => [`**${metric}**`, value]),
    ),
    trials.length === 0
      ? ''
      : table(
          ['Scenario', 'Variant', 'Target', 'Verdict', 'TTD', 'TTM', 'TTR', 'Restarts', 'Collateral', 'Lost'],
          trials.map((trial) => [
            text(trial.scenario),
            text(trial.variant),
            text(trial.target),
            trial.verdict,
            measured(trial.ttdMs),
            measured(trial.ttmMs),
            measured(trial.ttrMs),
            count(trial.targetRestarts.length),
            count(trial.collateralRestarts.length),
            count(trial.messages.lost),
          ]),
        ),
    ...conservation(model),
    ...PICTURES.filter(([name]) => charts.some((chart) => chart.name === name)).map(
      ([name, alt]) => `![${alt}](${name})`,
    ),
    '---',
  ];
}

/** What became of every message, from each side by itself: over the whole run, and in each trial. */
function conservation({ totals, waves }: ReportModel): string[] {
  const parts = [
    ...(totals.conservation ? [{ name: 'whole run', of: totals.conservation }] : []),
    ...waves.flatMap((wave) => wave.trials).flatMap(({ trial, conservation: of }) => (of ? [{ name: trial, of }] : [])),
  ];
  if (parts.length === 0) return [];
  return [
    '### Conservation of messages',
    'Accepted = handled + rejected + expired + dead-lettered + waiting; what is left is lost. Stretches of trials that ran at the same time overlap; what waits is what waited at the end.',
    table(
      ['Stretch', 'Counted by', ...COUNTERS, 'Agreement'],
      parts.flatMap(({ name, of }) =>
        sides(of).map(([side, counters], at) => [
          at === 0 ? text(name) : '',
          side,
          ...counterCells(counters),
          at === 0 ? agreement(of) : '',
        ]),
      ),
    ),
  ];
}
