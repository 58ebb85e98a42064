import { chainTo } from '../journal/chain.ts';
import type { BootFacts, Claim, Facet, Issue, RunFacts, TrialFacts, WaveFacts } from '../model.ts';
import { list, plural } from '../text/units.ts';
import { recommend, safeguardName, safeguardsBehind } from './recommendations.ts';

/** One issue per trial that did not hold. */
export function trialIssues(waves: readonly WaveFacts[], run: RunFacts, boot: BootFacts): Issue[] {
  return waves.flatMap((wave) =>
    wave.trials
      .filter((trial) => trial.verdict !== 'held')
      .map((trial) => ({
        id: trial.trial,
        severity: severity(trial),
        title: `${trial.scenario}${trial.variant === '' ? '' : ` (${trial.variant})`} on ${trial.target}, wave ${wave.n}: ${trial.verdict}`,
        problem: {
          text: trial.facets.map((facet) => facet.text).join(' '),
          evidence: distinct(trial.facets.flatMap((facet) => facet.evidence)),
        },
        impact: impact(trial, wave),
        rootCause: rootCause(trial, run, boot),
        recommendation: distinctClaims(trial.facets.map((facet) => recommend({ trial, facet, run, boot }))),
        trial: trial.trial,
      })),
  );
}

function severity(trial: TrialFacts): Issue['severity'] {
  if (trial.verdict === 'inconclusive') return 'minor';
  const grave: Facet['kind'][] = ['not recovered', 'lost messages', 'conservation', 'collateral restarts'];
  return trial.facets.some((facet) => grave.includes(facet.kind)) ? 'critical' : 'major';
}

function impact(trial: TrialFacts, wave: WaveFacts): Claim {
  const parts: string[] = [];
  const evidence: string[] = [];
  if (trial.verdict === 'inconclusive') parts.push('Nothing was learned about this scenario; it counts as not held.');
  if (trial.collateralRestarts.length > 0)
    parts.push(`Restarted without being the target: ${list(trial.collateralRestarts)}.`);
  if (trial.messages.lost > 0) parts.push(`${plural(trial.messages.lost, 'message')} lost.`);
  if (trial.effect.proven && (trial.ttrMs === null || 'moreThanMs' in trial.ttrMs))
    parts.push(`${trial.target} stayed impaired to the end of the trial.`);
  const escalated = trial.incidents.filter((incident) => incident.escalated !== null);
  if (escalated.length > 0) {
    parts.push(`Escalated to people: ${list(escalated.map(({ id }) => id))}.`);
    evidence.push(...escalated.flatMap((incident) => incident.evidence));
  }
  if (wave.steadyStateAfter === false) {
    parts.push(`The steady state did not hold after wave ${wave.n}.`);
    evidence.push(...(wave.after?.evidence ?? []));
  }
  if (parts.length === 0)
    parts.push('No restart of another kernel, no lost message and no broken steady state was recorded.');
  return { text: parts.join(' '), evidence: distinct(evidence) };
}

/**
 * Established only when a record that shows the symptom is linked to the injection by identities, or when a safeguard that should have
 * acted was off. A chain that ends nowhere near the symptom proves nothing.
 */
function rootCause(trial: TrialFacts, run: RunFacts, boot: BootFacts): Issue['rootCause'] {
  for (const facet of trial.facets) {
    const off = safeguardsBehind(facet, trial, run);
    if (off.length > 0) {
      const at = boot.evidence[0] === undefined ? '' : ` (${boot.evidence[0]})`;
      return {
        established: true,
        text: `${sentence(list(off.map(safeguardName)))} ${off.length === 1 ? 'was' : 'were'} switched off at boot${at}, so nothing answered the fault.`,
        chain: trial.chain,
      };
    }
  }
  if (!trial.effect.proven) {
    return {
      established: false,
      text: 'Not established: the fault was never seen to act, so nothing can follow from it.',
      chain: [],
    };
  }
  for (const facet of trial.facets) {
    const chain = chainTo(trial.chain, facet.symptom);
    if (chain.length > 1) {
      return {
        established: true,
        text: `Established: ${facet.kind}, by this chain from the injection to the symptom.`,
        chain,
      };
    }
  }
  return {
    established: false,
    text:
      trial.chain.length > 1
        ? 'Not established: no record of the symptom is linked to the fault. What is linked to the fault:'
        : 'Not established: the journal links nothing to the fault.',
    chain: trial.chain,
  };
}

function sentence(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

function distinct(evidence: readonly string[]): string[] {
  return [...new Set(evidence)];
}

function distinctClaims(claims: readonly Claim[]): Claim[] {
  const merged = new Map<string, Claim>();
  for (const claim of claims) {
    const before = merged.get(claim.text);
    merged.set(claim.text, { text: claim.text, evidence: distinct([...(before?.evidence ?? []), ...claim.evidence]) });
  }
  return [...merged.values()];
}
