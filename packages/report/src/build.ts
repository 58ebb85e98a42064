import type { AnyRecord, RunResult, WaveResult } from '@grace/contracts';
import { bootFacts } from './journal/boot.ts';
import { causalChain } from './journal/chain.ts';
import { type Journal, readJournal, ref, refs } from './journal/journal.ts';
import { redact } from './journal/redaction.ts';
import { runFacts } from './journal/run.ts';
import { kernelStrips, workloadPoints } from './journal/strips.ts';
import { systemFacts } from './journal/systems.ts';
import { trialContext } from './journal/trial.ts';
import { areas } from './judgement/areas.ts';
import { facets } from './judgement/facets.ts';
import { conclusion, findings, nextSteps, untested, working } from './judgement/findings.ts';
import { trialIssues } from './judgement/issues.ts';
import { overall } from './judgement/overall.ts';
import { systemIssues } from './judgement/system-issues.ts';
import { wilsonLowerBound } from './judgement/wilson.ts';
import type { AutofixFacts, ReportModel, SteadyFacts, Totals, WaveFacts } from './model.ts';

export interface ReportInput {
  /** The journal of the run's system; its order does not matter, its sequence numbers do. */
  records: readonly AnyRecord[];
  /** What the verdict fold made of the same records. */
  result: RunResult;
  /** Which run of the journal; default the last one. */
  run?: string;
  scenarios?: readonly { id: string; title: string; proves: string }[];
  /** Every scenario of the catalogue, to say which were not run. */
  allScenarioIds?: readonly string[];
}

/** Everything the report says, as data. Pure: the same input gives the same model. Secrets are taken out first, before anything reads them. */
export function buildReport(input: ReportInput): ReportModel {
  const { records, result, run: asked, scenarios = [], allScenarioIds = [] } = redact(input);
  const journal = readJournal(records, asked);
  const run = runFacts(journal);
  const boot = bootFacts(journal);
  const systems = systemFacts(journal);
  const proves = new Map(scenarios.map((scenario) => [scenario.id, scenario.proves]));
  const waves = result.waves.map((wave) => waveFacts(journal, wave, proves));
  const strips = kernelStrips(journal, run.kernels);
  const sums = totals(journal, result, waves, run.wavesPlanned);
  const verdict = overall(result, run);
  const lines = areas({ journal, run, boot, waves, totals: sums });
  const issues = [
    ...trialIssues(waves, run, boot),
    ...systemIssues({ journal, run, boot, waves, strips, silentDetectors: result.silentDetectors }),
  ];
  const gaps = untested({ journal, run, result, waves, systems, allScenarioIds });
  return {
    run,
    overall: verdict,
    boot,
    systems,
    autofix: autofixFacts(journal, run.kernels),
    waves,
    totals: sums,
    exit: result.exit,
    areas: lines,
    issues,
    working: working(journal, systems, lines),
    findings: findings(waves),
    untested: gaps,
    nextSteps: nextSteps(issues, gaps),
    conclusion: conclusion(verdict, sums, issues, run),
    kernels: strips,
    workload: workloadPoints(journal),
  };
}

function waveFacts(journal: Journal, wave: WaveResult, proves: ReadonlyMap<string, string>): WaveFacts {
  const start = journal.of('wave:start').find((record) => record.data.wave === wave.n);
  const end = journal.of('wave:end').find((record) => record.data.wave === wave.n);
  const skip = journal.of('wave:skip').find((record) => record.data.wave === wave.n);
  const before = steadyFacts(journal, wave.n, 'before');
  return {
    ...wave,
    startMs: start ? journal.runMs(start.monoMs) : null,
    endMs: end ? journal.runMs(end.monoMs) : null,
    before,
    after: steadyFacts(journal, wave.n, 'after'),
    trials: wave.trials.map((result) => {
      const context = trialContext(journal, result, proves.get(result.scenario) ?? null);
      const linked = { ...context, chain: causalChain(journal, context) };
      return { ...linked, facets: facets(journal, linked, before) };
    }),
    evidence: [...ref(start), ...ref(skip), ...ref(end)],
  };
}

function steadyFacts(journal: Journal, wave: number, when: 'before' | 'after'): SteadyFacts | null {
  const record = journal.of('steady:check').findLast(({ data }) => data.wave === wave && data.when === when);
  if (!record) return null;
  const { ok, heldMs, checks } = record.data;
  return { ok, heldMs, atMs: journal.runMs(record.monoMs), checks, evidence: ref(record) };
}

function totals(journal: Journal, result: RunResult, waves: readonly WaveFacts[], wavesPlanned: number | null): Totals {
  const { held, broken, inconclusive } = result.totals;
  const trials = held + broken + inconclusive;
  const inRun = (record: { seq: number }) => record.seq >= journal.from && record.seq <= journal.to;
  return {
    ...result.totals,
    trials,
    wavesPlanned,
    wavesSkipped: waves.filter((wave) => wave.skipped !== null).length,
    successLowerBound: wilsonLowerBound(held, trials),
    restarts: journal.of('kernel:restart').filter(inRun).length,
    incidents: journal.of('incident:open').filter(inRun).length,
    autofixTasks: null,
    syntaxErrorsFound: null,
  };
}

/** Phase 3 stands on what the journal has of the coding agent: its readiness, and incidents and playbooks that name it. */
function autofixFacts(journal: Journal, kernels: readonly string[]): AutofixFacts | null {
  if (!kernels.includes('coding_agent')) return null;
  const ready = journal.of('kernel:ready').find((record) => record.kernel === 'coding_agent');
  const incidents = journal.of('incident:open').filter((record) => record.data.incident.subject === 'coding_agent');
  const runs = journal.of('playbook:end').filter((end) => {
    const start = journal.of('playbook:start').find((record) => record.data.run === end.data.run);
    return start?.data.target === 'coding_agent';
  });
  return {
    started: ready !== undefined,
    incidents: incidents.map((record) => ({ text: record.data.incident.title, evidence: ref(record) })),
    playbooks: runs.map((record) => ({
      text: `${record.data.playbook} ended ${record.data.outcome}`,
      evidence: ref(record),
    })),
    tasks: null,
    evidence: refs(ready ? [ready] : []),
  };
}
