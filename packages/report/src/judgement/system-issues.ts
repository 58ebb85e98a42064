import type { DetectorMethod } from '@grace/contracts';
import { type Journal, ref, refs } from '../journal/journal.ts';
import type { BootFacts, Claim, Issue, KernelStrip, RunFacts, WaveFacts } from '../model.ts';
import { duration, list, plural } from '../text/units.ts';
import { RUNNER_LATE_MS } from './facets.ts';
import { safeguardName } from './recommendations.ts';

interface Ground {
  journal: Journal;
  run: RunFacts;
  boot: BootFacts;
  waves: readonly WaveFacts[];
  strips: readonly KernelStrip[];
  silentDetectors: readonly DetectorMethod[];
}

/** What is wrong with the system or the laboratory, whatever the trials say. */
export function systemIssues(ground: Ground): Issue[] {
  return [
    ...boot(ground),
    ...quarantine(ground),
    ...down(ground),
    ...outside(ground),
    ...skipped(ground),
    ...steady(ground),
    ...cleanup(ground),
    ...lag(ground),
    ...safeguards(ground),
    ...silent(ground),
  ];
}

function boot({ boot }: Ground): Issue[] {
  return boot.kernels
    .filter((kernel) => kernel.error !== null)
    .map((kernel) =>
      issue(
        `boot:${kernel.id}`,
        'critical',
        `${kernel.id} did not become ready at boot`,
        { text: `${kernel.error?.code}: ${kernel.error?.message}`, evidence: kernel.evidence },
        `The system ran without ${kernel.id}; no scenario on it can hold.`,
        {
          text: `Start ${kernel.id} alone (grace boot --only ${kernel.id}) and repair what its error names.`,
          evidence: kernel.evidence,
        },
        `The error it started with (${kernel.evidence[0] ?? 'boot'}): ${kernel.error?.message}`,
      ),
    );
}

function quarantine({ journal }: Ground): Issue[] {
  return journal.of('kernel:quarantine').map((record) =>
    issue(
      `quarantine:${record.seq}`,
      'critical',
      `${record.kernel ?? 'a kernel'} was quarantined`,
      {
        text: `${plural(record.data.restarts, 'restart')} within ${duration(record.data.windowMs)} used up its budget: ${record.data.cause}`,
        evidence: ref(record),
      },
      `${record.kernel ?? 'The kernel'} was not started again; others went on.`,
      { text: `Repair the cause, then start ${record.kernel ?? 'it'} by hand (grace restart).`, evidence: ref(record) },
      `As recorded by the restart engine (#${record.seq}): ${record.data.cause}`,
    ),
  );
}

function down({ strips, journal, run }: Ground): Issue[] {
  const atEnd = strips.filter(
    (strip) => run.kernels.includes(strip.id) && strip.final !== null && strip.final !== 'running',
  );
  if (atEnd.length === 0) return [];
  const evidence = atEnd.flatMap((strip) =>
    ref(journal.of('kernel:state').findLast((record) => record.kernel === strip.id && record.seq <= journal.to)),
  );
  return [
    issue(
      'kernels-down',
      'critical',
      `${plural(atEnd.length, 'kernel')} not running at the end`,
      { text: `At the end of the run: ${list(atEnd.map((strip) => `${strip.id} ${strip.final}`))}.`, evidence },
      'The system did not come back to what it was before the run.',
      { text: `Read what led to the last state: grace explain, grace logs ${atEnd[0]?.id}.`, evidence },
    ),
  ];
}

/** Ends of cells and restarts of kernels that belong to no trial. */
function outside({ journal }: Ground): Issue[] {
  const starts = journal.of('trial:start');
  const ends = journal.of('trial:end');
  const inside = (seq: number) =>
    starts.some((start) => {
      const end = ends.find((candidate) => candidate.data.trial === start.data.trial);
      return seq >= start.seq && seq <= (end?.seq ?? Number.POSITIVE_INFINITY);
    });
  const stray = journal
    .of('kernel:restart', 'cell:exit')
    .filter((record) => record.seq >= journal.from && record.seq <= journal.to && !inside(record.seq))
    .filter((record) => record.name !== 'cell:exit' || !(record.data as { expected: boolean }).expected);
  if (stray.length === 0) return [];
  const names = [...new Set(stray.map((record) => record.kernel ?? record.cell ?? 'unnamed'))];
  return [
    issue(
      'outside-trials',
      'major',
      'Restarts that belong to no trial',
      { text: `Ended or restarted while no fault was acting: ${list(names)}.`, evidence: refs(stray) },
      'Trials that follow may have measured this instead of their own fault.',
      {
        text: 'Find the cause in the records around them before trusting the trials beside them.',
        evidence: refs(stray),
      },
    ),
  ];
}

function skipped({ waves }: Ground): Issue[] {
  return waves
    .filter((wave) => wave.skipped !== null)
    .map((wave) =>
      issue(
        `wave:${wave.n}`,
        'major',
        `Wave ${wave.n} was not run`,
        { text: wave.skipped ?? '', evidence: wave.evidence },
        'Its scenarios were not tested.',
        {
          text: `Repair what kept the steady state from holding before wave ${wave.n}, then replay the run.`,
          evidence: wave.before?.evidence ?? wave.evidence,
        },
      ),
    );
}

function steady({ waves }: Ground): Issue[] {
  return waves.flatMap((wave) => {
    const failed = wave.after?.checks.filter((check) => !check.ok) ?? [];
    if (wave.steadyStateAfter !== false) return [];
    return [
      issue(
        `steady:${wave.n}`,
        'critical' as const,
        `The steady state did not hold after wave ${wave.n}`,
        {
          text:
            failed.length > 0
              ? list(failed.map((check) => `${check.check}: ${check.observed}`))
              : 'No single check is recorded as failed.',
          evidence: wave.after?.evidence ?? wave.evidence,
        },
        'The system was left worse than the wave found it.',
        {
          text: `Start with the trials of wave ${wave.n} that did not hold.`,
          evidence: wave.after?.evidence ?? wave.evidence,
        },
      ),
    ];
  });
}

function cleanup({ run, journal }: Ground): Issue[] {
  if (run.cleanup === null || run.cleanup.ok) return [];
  const evidence = ref(journal.last('run:end'));
  return [
    issue(
      'cleanup',
      'critical',
      'Cleanup is incomplete',
      { text: `Left behind: ${list(run.cleanup.left)}.`, evidence },
      'Faults or processes of the laboratory may still act.',
      { text: 'Run grace heal, and look at what could not be undone.', evidence },
    ),
  ];
}

function lag({ run, journal }: Ground): Issue[] {
  if (run.runnerLagMsMax === null || run.runnerLagMsMax <= RUNNER_LATE_MS) return [];
  const evidence = [
    ...refs(journal.of('trial:end').filter((record) => record.data.runnerLagMsMax > RUNNER_LATE_MS)),
    ...ref(journal.last('run:end')),
  ];
  return [
    issue(
      'runner-lag',
      'minor',
      'The laboratory itself was late',
      { text: `The runner's timers were late by up to ${duration(run.runnerLagMsMax)}.`, evidence },
      'Times near that size are not exact.',
      { text: 'Repeat the run on a machine with free cores.', evidence },
    ),
  ];
}

function safeguards({ run, boot }: Ground): Issue[] {
  if (run.safeguardsOff.length === 0) return [];
  const evidence = boot.evidence.slice(0, 1);
  return [
    issue(
      'safeguards-off',
      'major',
      'Safeguards were switched off',
      { text: `Off at boot: ${list(run.safeguardsOff.map(safeguardName))}.`, evidence },
      'This run tests the laboratory, not the product: it must come out broken.',
      { text: 'Boot with all safeguards on for a statement about the product.', evidence },
    ),
  ];
}

/** A detector that trials count on and that never fired. One that no trial asks for is listed as not tested instead. */
function silent({ silentDetectors, waves, journal }: Ground): Issue[] {
  return silentDetectors.flatMap((method) => {
    const asked = waves.flatMap((wave) => wave.trials).filter((trial) => trial.expect?.detectedBy.includes(method));
    if (asked.length === 0) return [];
    const evidence = refs(
      journal.of('trial:start').filter((record) => asked.some((trial) => trial.trial === record.data.trial)),
    );
    return [
      issue(
        `silent:${method}`,
        'minor' as const,
        `The detector ${method} never fired`,
        { text: `${plural(asked.length, 'trial')} could have been noticed by ${method}; none was.`, evidence },
        'Whether it works is not shown by this run.',
        {
          text: `Switch the other detectors off and run ${list([...new Set(asked.map((trial) => trial.scenario))])} again.`,
          evidence,
        },
      ),
    ];
  });
}

function issue(
  id: string,
  severity: Issue['severity'],
  title: string,
  problem: Claim,
  impact: string,
  recommendation: Claim,
  cause?: string,
): Issue {
  return {
    id,
    severity,
    title,
    problem,
    impact: { text: impact, evidence: [] },
    rootCause: {
      established: cause !== undefined,
      text: cause ?? 'Not established: this is an observation of the run as a whole.',
      chain: [],
    },
    recommendation: [recommendation],
    trial: null,
  };
}
