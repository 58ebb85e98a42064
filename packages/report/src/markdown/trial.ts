import { type TrialFacts, VERDICT_MARK } from '../model.ts';
import { code, text } from '../text/escape.ts';
import { table } from '../text/table.ts';
import { count, duration, instant, list, measured, observed, plural } from '../text/units.ts';
import { agreement, countersLine, sides } from './conservation.ts';
import type { Style } from './marks.ts';
import { answer, claim, evidence, sign } from './marks.ts';
import { reaction } from './reaction.ts';

/** One trial: what was done, what followed and when, and why the verdict is what it is. */
export function trial(facts: TrialFacts, style: Style): string[] {
  const variant = facts.variant === '' ? '' : ` (${text(facts.variant)})`;
  return [
    `##### ${text(facts.scenario)}${variant}: ${sign(VERDICT_MARK[facts.verdict], style.ascii)} ${facts.verdict}`,
    story(facts, style),
    instants(facts),
    facts.verification.length === 0
      ? 'Verification: no check was recorded.'
      : table(
          ['Verification', 'Expected', 'Observed', 'Result'],
          facts.verification.map((check) => [
            code(check.check),
            text(check.expected),
            text(check.observed),
            answer(check.ok, style.ascii),
          ]),
        ),
    consequences(facts),
    facts.reasons.length === 0
      ? ''
      : `Why ${facts.verdict}:\n${facts.reasons.map((reason) => `- ${text(reason)}`).join('\n')}`,
  ];
}

function story(facts: TrialFacts, { ascii }: Style): string {
  const lines = [
    `- **${text(facts.title)}**${facts.proves === null ? '' : `. Sets out to show: ${text(facts.proves)}`}`,
    `- Fault: ${facts.fault === null ? 'not recorded' : code(facts.fault)} on ${code(facts.target)}, trial ${code(facts.trial)}, ${instant(facts.startMs)} to ${instant(facts.endMs)}`,
    `- Effect: ${sign(facts.effect.proven ? 'ok' : 'unknown', ascii)} ${facts.effect.proven ? 'proven' : 'not proven'}, observed ${text(observed(facts.effect.observed))}${evidence(facts.effectEvidence)}`,
  ];
  if (facts.expect) {
    const { expect } = facts;
    lines.push(
      `- Objective: noticed by ${text(list(expect.detectedBy))} within ${duration(expect.detectWithinMs)}, recovered within ${duration(expect.recoverWithinMs)} as seen by ${text(list(expect.recoveredBy))}, restarts of the target: ${expect.targetRestarts === null ? 'any' : count(expect.targetRestarts)}, others that may restart: ${text(list(expect.mayRestart))}`,
    );
  }
  lines.push(`- Undo: ${facts.undo === null ? 'not recorded' : claim(facts.undo)}`);
  return lines.join('\n');
}

function instants(facts: TrialFacts): string {
  const { at } = facts;
  const allowed = facts.expect;
  return table(
    ['Instant', 'At', 'After injection', 'Allowed'],
    [
      ['injected (first observed effect)', instant(at.injectedMs), at.injectedMs === null ? 'none' : duration(0), ''],
      [
        'detected',
        instant(at.detectedMs),
        `TTD ${measured(facts.ttdMs)}`,
        allowed ? duration(allowed.detectWithinMs) : 'not recorded',
      ],
      ['mitigated', instant(at.mitigatedMs), `TTM ${measured(facts.ttmMs)}`, 'no objective'],
      [
        'recovered and held',
        instant(at.recoveredMs),
        `TTR ${measured(facts.ttrMs)}`,
        allowed ? duration(allowed.recoverWithinMs) : 'not recorded',
      ],
    ],
  );
}

function consequences(facts: TrialFacts): string {
  const { messages, conservation, latency } = facts;
  const detectors = facts.detections.map(
    ({ method, afterMs }) => `${method}${afterMs === null ? '' : ` after ${duration(afterMs)}`}`,
  );
  const lines = [
    `- Noticed by: ${detectors.length === 0 ? 'none' : text(list(detectors))}`,
    `- Playbook: ${facts.playbookRuns.length === 0 ? text(facts.playbook ?? 'none ran') : plural(facts.playbookRuns.length, 'run')}`,
    ...facts.playbookRuns.map(
      (run) =>
        `  - ${code(run.playbook)} on ${code(run.target)}: **${text(run.outcome)}**${run.ms === null ? '' : ` after ${duration(run.ms)}`}${run.detail === '' ? '' : ` - ${text(run.detail)}`}; steps: ${run.steps.length === 0 ? 'none recorded' : text(list(run.steps.map((step) => `${step.step} ${step.ok ? 'ok' : 'failed'} (${duration(step.ms)})`)))}${evidence(run.evidence)}`,
    ),
    `- Restarts of the target: ${facts.targetRestarts.length === 0 ? 'none' : facts.targetRestarts.map(claim).join('; ')}`,
    ...reaction(facts.reaction),
    `- Collateral restarts: ${facts.collateralRestarts.length === 0 ? 'none' : facts.collateralRestarts.map(code).join(', ')}`,
    `- Escalated: ${facts.escalated ? `yes${evidence(facts.incidents.filter((incident) => incident.escalated !== null).flatMap((incident) => incident.evidence))}` : 'no'}`,
    ...(conservation === undefined
      ? [`- Messages: ${countersLine(messages)}`]
      : [
          ...sides(conservation).map(([side, counters]) => `- Messages (${side}): ${countersLine(counters)}`),
          `- Conservation: ${agreement(conservation)}`,
        ]),
    `- Neighbours' p99: quiet ${duration(latency.quietP99Ms)}, during ${duration(latency.duringP99Ms)}${facts.expect ? ` (allowed: ${count(facts.expect.latencyFactor)} times quiet plus ${duration(facts.expect.latencySlackMs)})` : ''}`,
    `- Runner late by at most: ${duration(facts.runnerLagMsMax)}${facts.timedOut === true ? '; the trial timed out' : ''}`,
    `- Evidence: ${facts.evidence.length === 0 ? 'none named' : facts.evidence.map(text).join(', ')}; records #${facts.records.from} to #${facts.records.to}`,
  ];
  return lines.join('\n');
}
