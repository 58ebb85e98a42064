import type { Chart } from '../charts/chart.ts';
import type { ReportModel, SteadyFacts, WaveFacts } from '../model.ts';
import { code, text } from '../text/escape.ts';
import { table } from '../text/table.ts';
import { count, duration, instant, list, plural } from '../text/units.ts';
import type { Style } from './marks.ts';
import { answer, evidence, sign } from './marks.ts';
import { trial } from './trial.ts';

/** Phase 4: the waves, each between two steady states. */
export function waves(model: ReportModel, style: Style, charts: readonly Chart[]): string[] {
  const { totals } = model;
  const mark =
    totals.broken > 0
      ? 'bad'
      : totals.inconclusive > 0 || totals.trials === 0 || totals.wavesSkipped > 0
        ? 'unknown'
        : 'ok';
  const blocks = [`### Phase 4: chaos scenarios ${sign(mark, style.ascii)}`];
  if (model.waves.length === 0) blocks.push('No wave is in the journal.');
  for (const wave of model.waves) blocks.push(...section(wave, style, charts));
  return [...blocks, '---'];
}

function section(wave: WaveFacts, style: Style, charts: readonly Chart[]): string[] {
  const held = wave.trials.filter((one) => one.verdict === 'held').length;
  const broken = wave.trials.filter((one) => one.verdict === 'broken').length;
  const unclear = wave.trials.length - held - broken;
  const mark = broken > 0 ? 'bad' : unclear > 0 || wave.trials.length === 0 ? 'unknown' : 'ok';
  const title = `#### Wave ${count(wave.n)}: ${text(wave.severity)} severity ${sign(mark, style.ascii)}`;
  if (wave.skipped !== null) {
    return [
      title,
      `**Not run:** ${text(wave.skipped)}${evidence(wave.evidence)}`,
      ...steady('before', wave.steadyStateBefore, wave.before, style),
    ];
  }
  const scenarios = new Set(wave.trials.map((one) => one.scenario)).size;
  const time =
    wave.startMs !== null && wave.endMs !== null ? `, ${instant(wave.startMs)} to ${instant(wave.endMs)}` : '';
  const name = `timeline-wave-${wave.n}.svg`;
  return [
    title,
    `**Scenarios:** ${count(scenarios)}; ${plural(wave.trials.length, 'trial')}${time}${evidence(wave.evidence)}  \n**Result:** ${count(held)} held, ${count(broken)} broken, ${count(unclear)} inconclusive`,
    charts.some((chart) => chart.name === name)
      ? `![Timeline of wave ${count(wave.n)}: fault windows, detection and recovery of each trial](${name})`
      : '',
    ...steady('before', wave.steadyStateBefore, wave.before, style),
    ...wave.trials.flatMap((one) => trial(one, style)),
    ...steady('after', wave.steadyStateAfter, wave.after, style),
  ];
}

function steady(when: string, ok: boolean | null, facts: SteadyFacts | null, { ascii }: Style): string[] {
  if (facts === null)
    return [
      `**Steady state ${when}:** ${ok === null ? 'not checked' : answer(ok, ascii)}; no check is in the journal.`,
    ];
  const failed = facts.checks.filter((check) => !check.ok);
  const said = `**Steady state ${when}:** ${answer(ok ?? facts.ok, ascii)}, ${facts.ok ? `held for ${duration(facts.heldMs)}` : `failed: ${text(list(failed.map((check) => check.check)))}`} at ${instant(facts.atMs)}${evidence(facts.evidence)}`;
  if (facts.checks.length === 0) return [said];
  return [
    said,
    table(
      ['Check', 'Observed', 'Result'],
      facts.checks.map((check) => [code(check.check), text(check.observed), answer(check.ok, ascii)]),
    ),
  ];
}
