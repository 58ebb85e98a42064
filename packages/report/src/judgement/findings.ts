import type { RunResult } from '@grace/contracts';
import { type Journal, ref, refs } from '../journal/journal.ts';
import type { Area, Claim, Issue, Overall, RunFacts, SystemFacts, Totals, WaveFacts } from '../model.ts';
import { count, duration, list, measured, percent, plural } from '../text/units.ts';
import { safeguardName } from './recommendations.ts';

/** What works, each with the records that show it. Without a record there is no claim. */
export function working(journal: Journal, systems: readonly SystemFacts[], areas: readonly Area[]): Claim[] {
  const claims: Claim[] = areas
    .filter((area) => area.mark === 'ok' && area.evidence.length > 0)
    .map((area) => ({ text: `${area.name}: ${area.text}`, evidence: area.evidence }));
  const healing = areas.find((area) => area.name === 'Self-healing');
  for (const system of systems) {
    if (system.id === 'playbooks' && healing?.mark === 'bad') continue;
    const done = Object.entries(system.counts).filter(
      ([label, n]) => !/known|defined|held|registered|rules/.test(label) && (n ?? 0) > 0,
    );
    if (system.started !== true || done.length === 0) continue;
    claims.push({
      text: `${system.title}: ${list(done.map(([label, n]) => `${label} ${count(n)}`))}`,
      evidence: system.evidence,
    });
  }
  const mutes = journal.of('bus:muted');
  if (mutes.length > 0) {
    const principals = list([...new Set(mutes.map((record) => record.data.principal))]);
    claims.push({ text: `Mute: ${principals} silenced after breaking the access rules`, evidence: refs(mutes) });
  }
  return claims;
}

/** Per trial that held, what it showed. */
export function findings(waves: readonly WaveFacts[]): Claim[] {
  return waves.flatMap((wave) =>
    wave.trials
      .filter((trial) => trial.verdict === 'held')
      .map((trial) => {
        const by = trial.detections[0]?.method;
        const noticed =
          trial.ttdMs && 'ms' in trial.ttdMs
            ? `noticed after ${measured(trial.ttdMs)}${by === undefined ? '' : ` by ${by}`}`
            : null;
        const back = trial.ttrMs && 'ms' in trial.ttrMs ? `recovered after ${measured(trial.ttrMs)}` : null;
        const restarted =
          trial.targetRestarts.length === 0 ? 'no restart' : plural(trial.targetRestarts.length, 'restart');
        const what = `${trial.scenario}${trial.variant === '' ? '' : ` (${trial.variant})`} on ${trial.target}`;
        return {
          text: `${what} held: ${list([noticed, back, `${restarted} of it`, 'none of untouched kernels'].filter((part) => part !== null))}`,
          evidence: [
            ...new Set([
              ...trial.effectEvidence,
              ...trial.targetRestarts.flatMap((restart) => restart.evidence),
              ...trial.evidence,
            ]),
          ].slice(0, 10),
        };
      }),
  );
}

/** What this run says nothing about. */
export function untested(ground: {
  journal: Journal;
  run: RunFacts;
  result: RunResult;
  waves: readonly WaveFacts[];
  systems: readonly SystemFacts[];
  allScenarioIds: readonly string[];
}): Claim[] {
  const { journal, run, result, waves, systems, allScenarioIds } = ground;
  const boot = ref(journal.first('system:boot'));
  const claims: Claim[] = [];
  const tried = new Set(waves.flatMap((wave) => wave.trials.map((trial) => trial.scenario)));
  const asked = [...new Set([...allScenarioIds, ...run.scenarios])];
  const missing = asked.filter((id) => !tried.has(id));
  if (missing.length > 0)
    claims.push({ text: `Scenarios not run: ${list(missing, 40)}.`, evidence: ref(journal.last('run:start')) });
  if (!run.kernels.includes('coding_agent')) {
    claims.push({
      text: 'Phase 3, auto-fix testing: this system has no coding agent, so nothing was scanned, queued or fixed.',
      evidence: boot,
    });
  }
  for (const wave of waves) {
    if (wave.skipped !== null)
      claims.push({ text: `Wave ${wave.n} (${wave.severity}) was not run: ${wave.skipped}`, evidence: wave.evidence });
  }
  const unclear = waves.flatMap((wave) => wave.trials.filter((trial) => trial.verdict === 'inconclusive'));
  if (unclear.length > 0) {
    claims.push({
      text: `Inconclusive, so not tested: ${list(unclear.map((trial) => `${trial.scenario} on ${trial.target}`))}.`,
      evidence: unclear.flatMap((trial) => trial.evidence).slice(0, 8),
    });
  }
  if (run.safeguardsOff.length > 0)
    claims.push({ text: `Switched off at boot: ${list(run.safeguardsOff.map(safeguardName))}.`, evidence: boot });
  if (result.silentDetectors.length > 0) {
    claims.push({
      text: `Detectors that never fired: ${list(result.silentDetectors)}. Whether they work is not shown.`,
      evidence: [],
    });
  }
  const idle = systems.filter((system) => system.started === false).map((system) => system.title);
  if (idle.length > 0) claims.push({ text: `Not started in this system: ${list(idle, 20)}.`, evidence: boot });
  const spared = run.kernels.filter(
    (kernel) => !waves.some((wave) => wave.trials.some((trial) => trial.target === kernel)),
  );
  if (spared.length > 0)
    claims.push({ text: `No fault was aimed at these kernels: ${list(spared, 40)}.`, evidence: boot });
  claims.push(limits(run, boot));
  const runs = waves.reduce((sum, wave) => sum + wave.trials.length, 0);
  claims.push({
    text: `Repetition: ${plural(runs, 'trial')} of ${plural(tried.size, 'scenario')} in one run. That nothing else broke here does not show that nothing can.`,
    evidence: [],
  });
  return claims;
}

function limits(run: RunFacts, evidence: string[]): Claim {
  if (run.enforcement === null)
    return { text: 'Which limits of CPU and memory were enforced is not recorded in the journal.', evidence: [] };
  const { cpu, memory } = run.enforcement;
  const none = [cpu === 'none' ? 'CPU' : null, memory === 'none' ? 'memory' : null].filter((name) => name !== null);
  return none.length > 0
    ? { text: `Limits not enforced on this machine: ${list(none)}.`, evidence }
    : { text: `Limits were enforced by ${cpu} (CPU) and ${memory} (memory); other resources have none.`, evidence };
}

/** The recommendations of the issues, worst first, then what would make the next run say more. */
export function nextSteps(issues: readonly Issue[], untestedClaims: readonly Claim[]): Claim[] {
  const rank = { critical: 0, major: 1, minor: 2 };
  const steps = new Map<string, Claim>();
  for (const issue of [...issues].sort((a, b) => rank[a.severity] - rank[b.severity])) {
    for (const advice of issue.recommendation) {
      const before = steps.get(advice.text);
      steps.set(advice.text, {
        text: advice.text,
        evidence: [...new Set([...(before?.evidence ?? []), ...advice.evidence])],
      });
    }
  }
  const missing = untestedClaims.find((claim) => claim.text.startsWith('Scenarios not run'));
  if (missing)
    steps.set('scenarios', {
      text: missing.text.replace('Scenarios not run:', 'Run the scenarios this run left out:'),
      evidence: missing.evidence,
    });
  steps.set('replay', {
    text: 'Replay this run with the command at the end of this report, and compare the two.',
    evidence: [],
  });
  return [...steps.values()];
}

/** The closing words: nothing that the numbers above do not say. */
export function conclusion(overall: Overall, totals: Totals, issues: readonly Issue[], run: RunFacts): string[] {
  const grave = issues.filter((issue) => issue.severity === 'critical').length;
  const verdict = `${count(totals.held)} of ${plural(totals.trials, 'trial')} held (${percent(totals.successRate)}; 95 % Wilson lower bound ${percent(totals.successLowerBound)}), ${count(totals.broken)} broken, ${count(totals.inconclusive)} inconclusive.`;
  const system = `${count(totals.kernelsFinal)} of ${plural(totals.kernelsTotal, 'kernel')} ${totals.kernelsFinal === 1 ? 'was' : 'were'} running at the end, with ${plural(totals.falseRestarts, 'false restart')} and ${plural(totals.lostMessages, 'lost message')}.`;
  const state =
    overall.mark === 'ok'
      ? 'What was tested held. What was not tested is listed above and is not covered by this sentence.'
      : `The verdict is ${overall.word}${grave > 0 ? `, with ${plural(grave, 'critical issue')}` : ''}; this run is no evidence that the system is ready for production.`;
  const time = run.durationMs === null ? [] : [`The run took ${duration(run.durationMs)}.`];
  return [verdict, system, state, ...time];
}
