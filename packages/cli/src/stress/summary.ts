import type { Measured, RunResult, TrialResult } from '@grace/contracts';
import { NOTHING, showMs } from '../output/figures.ts';
import { type Output, printable } from '../output/output.ts';
import { table } from '../output/table.ts';
import { toneOf } from './progress-board.ts';

/** The result of a run in a few lines; the report has the rest. */
export function summaryLines({ waves, totals, exit }: RunResult, out: Output): string[] {
  const trials = waves.flatMap(({ n, trials }) => trials.map((trial) => ({ ...trial, wave: n })));
  const lines = table<TrialResult & { wave: number }>(
    [
      { head: 'WAVE', cell: ({ wave }) => String(wave), align: 'right' },
      { head: 'SCENARIO', cell: ({ scenario, variant }) => `${scenario}/${variant}` },
      { head: 'TARGET', cell: ({ target }) => target },
      { head: 'VERDICT', cell: ({ verdict }) => out.paint(toneOf(verdict), verdict) },
      { head: 'DETECTED', cell: ({ ttdMs }) => show(ttdMs), align: 'right' },
      { head: 'RECOVERED', cell: ({ ttrMs }) => show(ttrMs), align: 'right' },
    ],
    trials,
    (head) => out.paint('dim', head),
  );
  const skipped = waves.filter(({ skipped }) => skipped !== null);
  const bad = trials.filter(({ verdict }) => verdict !== 'held');
  return [
    ...(trials.length > 0 ? [...lines, ''] : []),
    ...skipped.map(({ n, skipped }) => out.paint('warn', `wave ${n} was not run: ${printable(skipped ?? '')}`)),
    ...bad.flatMap(({ scenario, variant, reasons }) => [
      `${scenario}/${variant}:`,
      ...reasons.map((reason) => `  ${printable(reason)}`),
    ]),
    `${totals.held} held, ${totals.broken} broken, ${totals.inconclusive} inconclusive; ${totals.kernelsFinal} of ${totals.kernelsTotal} kernels up, ${totals.falseRestarts} false restarts, ${totals.lostMessages} messages lost`,
    out.paint(exit.code === 0 ? 'good' : exit.code === 1 ? 'bad' : 'warn', printable(exit.reason)),
  ];
}

function show(measured: Measured): string {
  if (measured === null) return NOTHING;
  return 'ms' in measured ? showMs(measured.ms) : `> ${showMs(measured.moreThanMs)}`;
}
