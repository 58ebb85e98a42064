import type { EventName, JournalRecord } from '@grace/contracts';
import { type Journal, ref, refs } from '../journal/journal.ts';
import { inTrial } from '../journal/trial.ts';
import type { Facet, SteadyFacts, TrialFacts } from '../model.ts';
import { count, duration, list, measured, observed, plural } from '../text/units.ts';

type Trial = Omit<TrialFacts, 'facets'>;

/** Later than this, the runner's own clock readings say more about the runner than about the system, ms. */
export const RUNNER_LATE_MS = 250;

/** What is false or unknown in a trial, each with the records that show it. A trial that held has none. */
export function facets(journal: Journal, trial: Trial, before: SteadyFacts | null): Facet[] {
  if (trial.verdict === 'held') return [];
  const found = [
    ...baseline(trial, before),
    ...effect(journal, trial),
    ...detection(journal, trial),
    ...recovery(journal, trial),
    ...restarts(journal, trial),
    ...messages(journal, trial),
    ...conservation(journal, trial),
    ...calls(journal, trial),
    ...latency(trial),
    ...playbook(trial),
    ...checks(journal, trial),
    ...laboratory(journal, trial),
  ];
  if (found.length > 0) return found;
  const text =
    trial.reasons.length > 0 ? trial.reasons.join(' ') : `The verdict is ${trial.verdict} and gives no reason.`;
  return [{ kind: 'other', text, evidence: records(trial), symptom: null }];
}

function effect(journal: Journal, trial: Trial): Facet[] {
  if (trial.effect.proven) return [];
  const inject = journal
    .of('fault:inject')
    .find((record) => record.data.target === trial.target && within(journal, trial)(record));
  const evidence =
    trial.effectEvidence.length > 0 ? trial.effectEvidence : [...ref(inject), ...(inject ? [] : records(trial))];
  return [
    {
      kind: 'effect not proven',
      text: `The fault was not proven to act on ${trial.target}: its effect probe observed ${observed(trial.effect.observed)}.`,
      evidence,
      symptom: null,
    },
  ];
}

function detection(journal: Journal, trial: Trial): Facet[] {
  if (!trial.effect.proven || !trial.expect || trial.expect.detectedBy.length === 0) return [];
  const { detectedBy, detectWithinMs } = trial.expect;
  const methods = list(detectedBy);
  if (trial.ttdMs === null || 'moreThanMs' in trial.ttdMs) {
    const waited = trial.ttdMs === null ? '' : ` within ${duration(trial.ttdMs.moreThanMs)}`;
    return [
      {
        kind: 'not detected',
        text: `No expected method (${methods}) noticed the fault on ${trial.target}${waited}.`,
        evidence: [...trial.effectEvidence, ...refs(ends(journal, trial))],
        symptom: null,
      },
    ];
  }
  if (trial.ttdMs.ms <= detectWithinMs) return [];
  return [
    {
      kind: 'detected late',
      text: `The fault on ${trial.target} was noticed after ${measured(trial.ttdMs)}; ${duration(detectWithinMs)} were allowed.`,
      evidence: trial.effectEvidence,
      symptom: firstFire(journal, trial)?.seq ?? null,
    },
  ];
}

function recovery(journal: Journal, trial: Trial): Facet[] {
  if (!trial.effect.proven || !trial.expect) return [];
  const { recoverWithinMs } = trial.expect;
  if (trial.ttrMs === null || 'moreThanMs' in trial.ttrMs) {
    const down = lastDown(journal, trial);
    const time = trial.ttrMs === null ? '' : ` (${measured(trial.ttrMs)})`;
    return [
      {
        kind: 'not recovered',
        text: `${trial.target} was not seen to recover in this trial${time}; ${duration(recoverWithinMs)} were allowed.`,
        evidence: [...trial.effectEvidence, ...ref(down), ...refs(ends(journal, trial))],
        symptom: down?.seq ?? null,
      },
    ];
  }
  if (trial.ttrMs.ms <= recoverWithinMs) return [];
  const back = journal
    .of('kernel:ready')
    .find((record) => record.kernel === trial.target && within(journal, trial)(record));
  return [
    {
      kind: 'recovered late',
      text: `${trial.target} recovered after ${measured(trial.ttrMs)}; ${duration(recoverWithinMs)} were allowed.`,
      evidence: [...trial.effectEvidence, ...ref(back)],
      symptom: back?.seq ?? null,
    },
  ];
}

function restarts(journal: Journal, trial: Trial): Facet[] {
  const found: Facet[] = [];
  const during = within(journal, trial);
  for (const kernel of trial.collateralRestarts) {
    const record =
      journal.of('kernel:restart').find((restart) => restart.kernel === kernel && during(restart)) ??
      journal.of('kernel:exit').find((exit) => exit.kernel === kernel && during(exit));
    found.push({
      kind: 'collateral restarts',
      text: `${kernel} was restarted though the fault was on ${trial.target}.`,
      evidence: record ? ref(record) : records(trial),
      symptom: record?.seq ?? null,
    });
  }
  const wanted = trial.expect?.targetRestarts ?? null;
  if (wanted !== null && trial.targetRestarts.length !== wanted) {
    const evidence = trial.targetRestarts.flatMap((restart) => restart.evidence);
    found.push({
      kind: 'restart count',
      text: `${trial.target} was restarted ${plural(trial.targetRestarts.length, 'time')}; ${count(wanted)} expected.`,
      evidence: evidence.length > 0 ? evidence : records(trial),
      symptom: seq(evidence[0]),
    });
  }
  return found;
}

function messages(journal: Journal, trial: Trial): Facet[] {
  if (!(trial.messages.lost > 0)) return [];
  const samples = journal
    .of('workload:sample')
    .filter(({ data }) => data.messages.lost + (data.durable?.lost ?? 0) > 0)
    .filter(within(journal, trial));
  return [
    {
      kind: 'lost messages',
      text: `${plural(trial.messages.lost, 'message')} accepted by the bus ${trial.messages.lost === 1 ? 'was' : 'were'} lost.`,
      evidence: samples.length > 0 ? refs(samples) : records(trial),
      symptom: samples[0]?.seq ?? null,
    },
  ];
}

/** What the broker cannot account for, and where its counters contradict those of the workload. */
function conservation(journal: Journal, trial: Trial): Facet[] {
  const { broker, differences } = trial.conservation ?? {};
  const sample = journal.of('workload:sample').find((record) => record.data.trial === trial.trial);
  const evidence = sample ? ref(sample) : records(trial);
  const found: string[] = [];
  if (broker && broker.lost !== 0)
    found.push(
      `The broker accepted ${count(broker.lost)} more than it handled, rejected, expired, dead-lettered and keeps waiting.`,
    );
  if (differences && differences.length > 0)
    found.push(`The broker and the workload count differently: ${differences.join('; ')}.`);
  return found.map((text) => ({ kind: 'conservation', text, evidence, symptom: sample?.seq ?? null }));
}

function calls(journal: Journal, trial: Trial): Facet[] {
  const sample = journal.of('workload:sample').find((record) => record.data.trial === trial.trial);
  const failed = sample ? sample.data.verbs.failed + sample.data.appends.failed : 0;
  if (!sample || !(failed > 0)) return [];
  const text = `${plural(failed, 'call')} of the workload to kernels beside ${trial.target} failed.`;
  return [{ kind: 'calls failed', text, evidence: ref(sample), symptom: null }];
}

function baseline(trial: Trial, before: SteadyFacts | null): Facet[] {
  if (before?.ok === true) return [];
  return [
    before === null
      ? {
          kind: 'baseline',
          text: 'No steady state was established before the wave.',
          evidence: records(trial),
          symptom: null,
        }
      : {
          kind: 'baseline',
          text: 'The steady state did not hold before the wave.',
          evidence: before.evidence,
          symptom: null,
        },
  ];
}

function latency(trial: Trial): Facet[] {
  const { quietP99Ms, duringP99Ms } = trial.latency;
  if (quietP99Ms === null || duringP99Ms === null || !trial.expect) return [];
  const allowed = quietP99Ms * trial.expect.latencyFactor + trial.expect.latencySlackMs;
  if (duringP99Ms <= allowed) return [];
  return [
    {
      kind: 'latency',
      text: `The neighbours' p99 latency went from ${duration(quietP99Ms)} to ${duration(duringP99Ms)}; ${duration(allowed)} were allowed.`,
      evidence: records(trial),
      symptom: null,
    },
  ];
}

function playbook(trial: Trial): Facet[] {
  const expected = trial.expect?.playbook ?? null;
  if (expected === null) return [];
  const run = trial.playbookRuns.find((candidate) => candidate.playbook === expected);
  if (run?.outcome === 'healed' || (run === undefined && trial.playbook === expected)) return [];
  return [
    {
      kind: 'playbook',
      text: run
        ? `Playbook ${expected} ended ${run.outcome}${run.detail === '' ? '' : `: ${run.detail}`}.`
        : `Playbook ${expected} was expected to run and did not.`,
      evidence: run ? run.evidence : records(trial),
      symptom: run ? seq(run.evidence.at(-1)) : null,
    },
  ];
}

function checks(journal: Journal, trial: Trial): Facet[] {
  return trial.verification
    .filter((check) => check.ok !== true)
    .map((check) => {
      const record = journal
        .of('trial:check')
        .find(({ data }) => data.trial === trial.trial && data.check === check.check && data.ok === check.ok);
      return {
        kind: check.ok === false ? ('check failed' as const) : ('check unknown' as const),
        text:
          check.ok === false
            ? `Check "${check.check}": expected ${check.expected}, observed ${check.observed}.`
            : `Check "${check.check}" could not be evaluated: ${check.observed}.`,
        evidence: record ? ref(record) : records(trial),
        symptom: shownBy(journal, trial, check.check) ?? record?.seq ?? null,
      };
    });
}

/** Records of the system itself that show what a check is about, so that a chain can lead to them; undefined: it has none. */
function shownBy(journal: Journal, trial: Trial, check: string): number | undefined {
  const names = SHOWN_BY[check.split(' ')[0]!];
  return names && journal.of(...names).findLast(within(journal, trial))?.seq;
}

const SHOWN_BY: Readonly<Record<string, readonly EventName[]>> = {
  accepted_handled: ['bus:backlog'],
  pushed_back: ['bus:backlog'],
  damage_named: ['record:damaged'],
  record_repaired: ['record:repaired', 'record:damaged'],
  record_whole: ['record:repaired', 'record:damaged'],
  acknowledged_kept: ['record:repaired', 'record:damaged'],
  others_round_trips: ['bus:backlog', 'bus:muted', 'bus:denied'],
};

function laboratory(journal: Journal, trial: Trial): Facet[] {
  const found: Facet[] = [];
  const end = ends(journal, trial);
  if (end.length === 0) {
    const text = 'The trial has no end in the journal.';
    found.push({ kind: 'not ended', text, evidence: records(trial), symptom: null });
  }
  if (trial.verdict === 'inconclusive' && trial.runnerLagMsMax !== null && trial.runnerLagMsMax > RUNNER_LATE_MS) {
    found.push({
      kind: 'runner late',
      text: `The runner itself was late by up to ${duration(trial.runnerLagMsMax)} in this trial.`,
      evidence: refs(end),
      symptom: null,
    });
  }
  if (trial.undo?.text.endsWith('not verified')) {
    found.push({
      kind: 'undo not verified',
      text: `The undo of the fault: ${trial.undo.text}.`,
      evidence: trial.undo.evidence,
      symptom: null,
    });
  }
  return found;
}

/** The last record that took the target down and was not answered by a start. */
function lastDown(journal: Journal, trial: Trial): JournalRecord | undefined {
  const during = within(journal, trial);
  return journal
    .of('kernel:quarantine', 'kernel:exit', 'cell:exit', 'kernel:stuck', 'incident:escalate')
    .findLast(
      (record) =>
        during(record) &&
        (record.kernel === trial.target ||
          record.cell === trial.target ||
          (record.name === 'cell:exit' && (record.data as { kernels: string[] }).kernels.includes(trial.target)) ||
          (record.name === 'incident:escalate' &&
            trial.incidents.some(({ id }) => id === (record.data as { id: string }).id))),
    );
}

function firstFire(journal: Journal, trial: Trial) {
  return journal
    .of('detector:fire')
    .find((record) => record.data.subject === trial.target && within(journal, trial)(record));
}

function ends(journal: Journal, trial: Trial) {
  return journal.of('trial:end').filter((record) => record.data.trial === trial.trial);
}

function within(journal: Journal, trial: Trial) {
  const start = journal.of('trial:start').find((record) => record.data.trial === trial.trial);
  return inTrial(trial, start, ends(journal, trial)[0]);
}

function records(trial: Trial): string[] {
  const { from, to } = trial.records;
  return from > 0 ? [to > from ? `#${from}-#${to}` : `#${from}`] : [];
}

function seq(evidence: string | undefined): number | null {
  const match = /^#(\d+)$/.exec(evidence ?? '');
  return match ? Number(match[1]) : null;
}
