import { type Journal, ref, refs } from '../journal/journal.ts';
import type { Area, BootFacts, Mark, RunFacts, Totals, WaveFacts } from '../model.ts';
import { count, duration, list, measured, plural } from '../text/units.ts';
import { RUNNER_LATE_MS } from './facets.ts';

interface Ground {
  journal: Journal;
  run: RunFacts;
  boot: BootFacts;
  waves: readonly WaveFacts[];
  totals: Totals;
}

/** One line per area of the executive summary. */
export function areas(ground: Ground): Area[] {
  return [boot, injection, detection, recovery, isolation, healing, bus, steadyState, cleanup, laboratory].map((area) =>
    area(ground),
  );
}

function boot({ boot, run }: Ground): Area {
  if (boot.total === null) return { name: 'Boot', mark: 'unknown', text: 'not recorded', evidence: [] };
  const ok = boot.ready === boot.total && boot.kernels.every((kernel) => kernel.error === null);
  const took = boot.ms === null ? '' : ` in ${duration(boot.ms)}`;
  return {
    name: 'Boot',
    mark: ok ? 'ok' : 'bad',
    text: `${count(boot.ready)} of ${plural(boot.total, 'kernel')} ready${took}${run.safeguardsOff.length > 0 ? ', with safeguards off' : ''}`,
    evidence: boot.evidence,
  };
}

function injection({ waves }: Ground): Area {
  const trials = all(waves);
  const proven = trials.filter((trial) => trial.effect.proven);
  return {
    name: 'Faults',
    mark: share(proven.length, trials.length, 'unknown'),
    text: `${count(proven.length)} of ${plural(trials.length, 'fault')} proven to act by an effect probe`,
    evidence: proven.flatMap((trial) => trial.effectEvidence).slice(0, 8),
  };
}

function detection({ waves, journal }: Ground): Area {
  const proven = all(waves).filter((trial) => trial.effect.proven);
  const noticed = proven.filter((trial) => trial.ttdMs !== null && 'ms' in trial.ttdMs);
  const times = noticed.flatMap((trial) => (trial.ttdMs && 'ms' in trial.ttdMs ? [trial.ttdMs.ms] : []));
  const range = times.length === 0 ? '' : `; slowest ${duration(Math.max(...times))}`;
  return {
    name: 'Detection',
    mark: share(noticed.length, proven.length),
    text: `${count(noticed.length)} of ${plural(proven.length, 'acting fault')} noticed${range}`,
    evidence: refs(
      journal.of('detector:fire').filter((record) => noticed.some((trial) => trial.target === record.data.subject)),
    ),
  };
}

function recovery({ waves, journal }: Ground): Area {
  const proven = all(waves).filter((trial) => trial.effect.proven);
  const back = proven.filter((trial) => trial.ttrMs !== null && 'ms' in trial.ttrMs);
  const slowest = back.reduce<(typeof back)[number] | null>(
    (worst, trial) => (worst === null || ms(trial.ttrMs) > ms(worst.ttrMs) ? trial : worst),
    null,
  );
  const range = slowest === null ? '' : `; slowest ${measured(slowest.ttrMs)} (${slowest.scenario})`;
  return {
    name: 'Recovery',
    mark: share(back.length, proven.length),
    text: `${count(back.length)} of ${plural(proven.length, 'acting fault')} recovered from${range}`,
    evidence: refs(
      journal.of('trial:end').filter((record) => proven.some((trial) => trial.trial === record.data.trial)),
    ),
  };
}

function isolation({ totals, waves, journal }: Ground): Area {
  const hurt = [...new Set(all(waves).flatMap((trial) => trial.collateralRestarts))];
  const restarts = refs(
    journal.of('kernel:restart').filter((record) => record.kernel !== undefined && hurt.includes(record.kernel)),
  );
  if (all(waves).length === 0) return { name: 'Isolation', mark: 'unknown', text: 'no trial was run', evidence: [] };
  return {
    name: 'Isolation',
    mark: totals.falseRestarts > 0 || hurt.length > 0 ? 'bad' : 'ok',
    text:
      hurt.length > 0
        ? `restarted without being a target: ${list(hurt)}`
        : `${plural(totals.falseRestarts, 'false restart')} of untouched kernels`,
    evidence: restarts,
  };
}

function healing({ journal }: Ground): Area {
  const ends = journal.of('playbook:end').filter((record) => record.data.outcome !== 'dry run');
  const healed = ends.filter((record) => record.data.outcome === 'healed');
  return {
    name: 'Self-healing',
    mark: ends.length === 0 ? 'unknown' : share(healed.length, ends.length),
    text:
      ends.length === 0
        ? 'no playbook ran'
        : `${count(healed.length)} of ${plural(ends.length, 'playbook run')} healed`,
    evidence: refs(ends),
  };
}

function bus({ journal, totals }: Ground): Area {
  const samples = journal.of('workload:sample');
  const accepted = samples.reduce((sum, { data }) => sum + data.messages.accepted + (data.durable?.accepted ?? 0), 0);
  if (samples.length === 0) return { name: 'Messages', mark: 'unknown', text: 'no workload is recorded', evidence: [] };
  const lost = samples.filter(({ data }) => data.messages.lost + (data.durable?.lost ?? 0) > 0);
  const { differences = null, broker = null, why = null } = totals.conservation ?? {};
  const unaccounted = broker === null ? 0 : broker.lost;
  const agree =
    differences === null
      ? totals.conservation
        ? `; not compared with the broker: ${why}`
        : ''
      : differences.length === 0
        ? '; the broker counts the same'
        : `; the broker counts otherwise: ${differences.join('; ')}`;
  const isBad = totals.lostMessages > 0 || unaccounted !== 0 || (differences?.length ?? 0) > 0;
  return {
    name: 'Messages',
    mark: isBad ? 'bad' : 'ok',
    text: `${plural(totals.lostMessages, 'message')} lost; the workload had ${count(accepted)} accepted${agree}`,
    evidence: lost.length > 0 ? refs(lost) : refs([samples[0]!, ...(samples.length > 1 ? [samples.at(-1)!] : [])]),
  };
}

function steadyState({ waves }: Ground): Area {
  const after = waves.filter((wave) => wave.steadyStateAfter !== null);
  const held = after.filter((wave) => wave.steadyStateAfter === true);
  const skipped = waves.filter((wave) => wave.skipped !== null);
  return {
    name: 'Steady state',
    mark: skipped.length > 0 ? 'bad' : share(held.length, after.length),
    text: `held again after ${count(held.length)} of ${plural(after.length, 'wave')}${skipped.length > 0 ? `; ${plural(skipped.length, 'wave')} not run` : ''}`,
    evidence: after.flatMap((wave) => wave.after?.evidence ?? []),
  };
}

function cleanup({ run, journal }: Ground): Area {
  const evidence = ref(journal.last('run:end'));
  if (run.cleanup === null)
    return { name: 'Cleanup', mark: 'unknown', text: 'the journal has no end of the run', evidence };
  return run.cleanup.ok
    ? { name: 'Cleanup', mark: 'ok', text: 'nothing of the laboratory was left behind', evidence }
    : { name: 'Cleanup', mark: 'bad', text: `left behind: ${list(run.cleanup.left)}`, evidence };
}

function laboratory({ run, journal }: Ground): Area {
  const late = run.runnerLagMsMax;
  const mark: Mark = late === null ? 'unknown' : late > RUNNER_LATE_MS ? 'bad' : 'ok';
  const cut = run.interrupted === true ? '; interrupted before its end' : '';
  return {
    name: 'Laboratory',
    mark: cut === '' ? mark : 'unknown',
    text: `${late === null ? 'lag of the runner not recorded' : `runner late by at most ${duration(late)}`}${cut}`,
    evidence: ref(journal.last('run:end')),
  };
}

function all(waves: readonly WaveFacts[]) {
  return waves.flatMap((wave) => wave.trials);
}

function share(part: number, whole: number, otherwise: Mark = 'bad'): Mark {
  if (whole === 0) return 'unknown';
  return part === whole ? 'ok' : otherwise;
}

function ms(value: WaveFacts['trials'][number]['ttrMs']): number {
  return value !== null && 'ms' in value ? value.ms : 0;
}
