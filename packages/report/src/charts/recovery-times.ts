import type { Measured } from '@grace/contracts';
import type { ReportModel, TrialFacts } from '../model.ts';
import { measured } from '../text/units.ts';
import type { Chart } from './chart.ts';
import { axis, logScale, type Scale } from './scale.ts';
import { drawing, label, legend, mark, rule, WIDTH, write } from './svg.ts';

const LEFT = 300;
const RIGHT = WIDTH - 130;
const ROW = 26;
const TOP = 64;

/** One row per trial: time to detect and time to recover; a dashed line that leaves to the right is a censored time. */
export function recoveryTimes(model: ReportModel): Chart | null {
  const trials = model.waves
    .flatMap((wave) => wave.trials)
    .filter((trial) => trial.ttdMs !== null || trial.ttrMs !== null);
  if (trials.length === 0) return null;
  const times = trials.flatMap((trial) => [size(trial.ttdMs), size(trial.ttrMs)]).filter((time) => time !== null);
  const x = logScale(
    times.reduce((a, b) => Math.min(a, b)),
    times.reduce((a, b) => Math.max(a, b)),
    LEFT,
    RIGHT,
  );
  const bottom = TOP + trials.length * ROW;
  return {
    name: 'recovery-times.svg',
    svg: drawing(
      'Time to detect and time to recover',
      trials
        .map(
          (trial) =>
            `${trial.scenario} on ${trial.target}: detected after ${measured(trial.ttdMs)}, recovered after ${measured(trial.ttrMs)}.`,
        )
        .join(' '),
      bottom + 28,
      [
        legend(16, 46, [
          ['detect', 'detected'],
          ['recover', 'recovered and held'],
        ]),
        write(RIGHT, 46, 'after injection, logarithmic; dashed: not within the watched time', 'dim', 'end'),
        ...axis(x, TOP, bottom),
        ...trials.flatMap((trial, at) => row(trial, TOP + at * ROW, x)),
      ],
    ),
  };
}

function row(trial: TrialFacts, top: number, x: Scale): string[] {
  const middle = top + ROW / 2;
  return [
    rule(LEFT, top + ROW, RIGHT, top + ROW),
    write(
      16,
      middle + 4,
      label(`${trial.scenario}${trial.variant === '' ? '' : ` ${trial.variant}`} on ${trial.target}`, LEFT - 24),
    ),
    ...point(trial.ttrMs, 'recover', middle + 3, x),
    ...point(trial.ttdMs, 'detect', middle - 3, x),
    write(
      RIGHT + 8,
      middle + 4,
      label(`${measured(trial.ttdMs)} / ${measured(trial.ttrMs)}`, WIDTH - RIGHT - 12),
      'dim',
    ),
  ];
}

function point(time: Measured, shape: 'detect' | 'recover', y: number, x: Scale): string[] {
  const ms = size(time);
  if (time === null || ms === null) return [];
  const hint = `${shape === 'detect' ? 'detected' : 'recovered'} after ${measured(time)}`;
  return 'ms' in time
    ? [mark(x(ms), y, shape, hint)]
    : [rule(x(ms), y, RIGHT + 4, y, `censored s-${shape}`), mark(x(ms), y, shape, hint)];
}

function size(time: Measured): number | null {
  if (time === null) return null;
  const ms = 'ms' in time ? time.ms : time.moreThanMs;
  return Number.isFinite(ms) ? Math.max(ms, 0.1) : null;
}
