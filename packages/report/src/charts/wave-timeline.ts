import type { ReportModel, TrialFacts, WaveFacts } from '../model.ts';
import { instant, measured } from '../text/units.ts';
import type { Chart } from './chart.ts';
import { axis, type Scale, timeScale } from './scale.ts';
import { bar, drawing, label, legend, mark, rule, WIDTH, write } from './svg.ts';

const LEFT = 230;
const RIGHT = WIDTH - 130;
const ROW = 40;
/** Each instant has a height of its own, so that marks of the same moment stay apart. */
const LANE = { inject: -12, detect: -4, mitigate: 4, recover: 12 } as const;
const TOP = 64;

/** One row per trial: how long the fault acted, and when it was noticed, answered and recovered from. */
export function waveTimeline(_model: ReportModel, wave: WaveFacts): Chart | null {
  const placed = wave.trials.filter((trial) => trial.startMs !== null || trial.at.injectedMs !== null);
  if (placed.length === 0) return null;
  const moments = placed
    .flatMap((trial) => [trial.startMs, trial.endMs, ...Object.values(trial.at)])
    .filter((at) => at !== null);
  for (const at of [wave.startMs, wave.endMs, wave.before?.atMs, wave.after?.atMs])
    if (typeof at === 'number') moments.push(at);
  const from = moments.reduce((a, b) => Math.min(a, b));
  const to = moments.reduce((a, b) => Math.max(a, b), from + 1);
  const x = timeScale(from, to, LEFT, RIGHT);
  const bottom = TOP + placed.length * ROW;
  const held = wave.trials.filter((trial) => trial.verdict === 'held').length;
  const parts = [
    legend(16, 46, [
      [{ swatch: 'fault' }, 'fault acts'],
      ['inject', 'injected'],
      ['detect', 'detected'],
      ['mitigate', 'mitigated'],
      ['recover', 'recovered and held'],
    ]),
    ...axis(x, TOP, bottom),
    ...placed.flatMap((trial, at) => row(trial, TOP + at * ROW, x)),
    ...[wave.before, wave.after].flatMap((steady, at) =>
      steady
        ? [
            bar(
              x(steady.atMs) - 1,
              TOP,
              2,
              bottom - TOP,
              steady.ok ? 'up' : 'down',
              `steady state ${at === 0 ? 'before' : 'after'}: ${steady.ok ? 'held' : 'failed'} at ${instant(steady.atMs)}`,
            ),
          ]
        : [],
    ),
  ];
  return {
    name: `timeline-wave-${wave.n}.svg`,
    svg: drawing(
      `Wave ${wave.n}: ${wave.severity}`,
      `Timeline of ${placed.length} trials, ${held} held. ${placed.map((trial) => `${trial.scenario} on ${trial.target}: ${trial.verdict}, detected after ${measured(trial.ttdMs)}, recovered after ${measured(trial.ttrMs)}.`).join(' ')}`,
      bottom + 28,
      parts,
    ),
  };
}

function row(trial: TrialFacts, top: number, x: Scale): string[] {
  const middle = top + ROW / 2;
  const { injectedMs, undoneMs, detectedMs, mitigatedMs, recoveredMs } = trial.at;
  const until = undoneMs ?? trial.endMs ?? injectedMs;
  const parts = [
    rule(LEFT, top + ROW, RIGHT, top + ROW),
    write(16, middle - 1, label(`${trial.scenario}${trial.variant === '' ? '' : ` ${trial.variant}`}`, LEFT - 24)),
    write(16, middle + 11, label(`on ${trial.target}`, LEFT - 24), 'dim'),
    write(RIGHT + 8, middle + 4, label(`${trial.verdict}, TTR ${measured(trial.ttrMs)}`, WIDTH - RIGHT - 12), 'dim'),
  ];
  if (injectedMs !== null && until !== null) {
    parts.push(
      bar(
        x(injectedMs),
        top + 5,
        x(Math.max(until, injectedMs)) - x(injectedMs),
        ROW - 10,
        'fault',
        `${trial.fault ?? 'fault'} acts from ${instant(injectedMs)} to ${instant(until)}`,
      ),
    );
    parts.push(mark(x(injectedMs), middle + LANE.inject, 'inject', `injected at ${instant(injectedMs)}`));
  }
  if (mitigatedMs !== null)
    parts.push(mark(x(mitigatedMs), middle + LANE.mitigate, 'mitigate', `mitigated at ${instant(mitigatedMs)}`));
  if (detectedMs !== null)
    parts.push(mark(x(detectedMs), middle + LANE.detect, 'detect', `detected at ${instant(detectedMs)}`));
  if (recoveredMs !== null)
    parts.push(mark(x(recoveredMs), middle + LANE.recover, 'recover', `recovered at ${instant(recoveredMs)}`));
  return parts;
}
