import type { JournalRecord, Measured, TrialResult, Verdict } from '@grace/contracts';
import { type Clocks, clocksOf } from './clocks.ts';
import type { Collateral } from './collateral.ts';
import { conservationOf } from './conservation.ts';
import type { Finding } from './finding.ts';
import * as find from './findings.ts';
import type { RecordSet } from './record-set.ts';
import { belongs, correlationsOf, type TrialSpan, within } from './trial-span.ts';
import { type Machine, machineOf } from './withheld.ts';

/** A runner whose own event loop stood still for longer has not seen what it says it saw. */
export const RUNNER_STARVED_MS = 500;

export function judgeTrial(
  set: RecordSet,
  span: TrialSpan,
  spans: readonly TrialSpan[],
  collateral: readonly Collateral[],
): TrialResult {
  const { data: trial } = span.start;
  const clocks = clocksOf(set, span, correlationsOf(spans));
  const samples = set.during('workload:sample');
  const sample = samples.find((record) => record.data.trial === trial.trial);
  const quiet = samples.find((record) => record.data.trial === null && record.data.verbs.ok > 0);
  const machine = machineOf(set, span, clocks.injected?.atMono ?? null);
  const playbook = find.playbook(set, span, machine);
  const checks = find.checks(set, span);
  const promises = [
    find.detection(span, clocks, machine),
    find.recovery(span, clocks, machine),
    ...find.restarts(set, span),
    find.untouched(span, collateral),
    ...playbook.finding,
    ...find.workload(span, sample, quiet, machine),
    ...checks.findings,
  ];
  const doubts = doubtsAbout(set, span, clocks, machine);
  const verdict = conclude(doubts, promises);
  const escalated = set
    .during('incident:escalate')
    .some((record) => within(span, record) && span.incidents.has(record.data.id));
  const expectsMitigation = trial.expect.playbook !== null || (trial.expect.targetRestarts ?? 0) > 0;
  const { detectedBy } = trial.expect;
  const detected = clocks.detectors.find(({ method }) => detectedBy.length === 0 || detectedBy.includes(method));
  return {
    trial: trial.trial,
    scenario: trial.scenario,
    title: trial.title,
    variant: trial.variant,
    number: trial.number,
    target: trial.target,
    severity: trial.severity,
    verdict,
    reasons: reasonsFor(verdict, doubts, promises, clocks),
    effect: { proven: clocks.injected !== null, observed: clocks.effect?.data.observed ?? {} },
    injectedAtMs: since(set, clocks.injected?.atMono),
    detectedAtMs: since(set, detected?.atMono),
    mitigatedAtMs: since(set, clocks.mitigated?.atMono),
    recoveredAtMs: since(set, clocks.recovered?.atMono),
    ttdMs: measured(span, clocks, detected?.atMono, detectedBy.length > 0),
    ttmMs: measured(span, clocks, clocks.mitigated?.atMono, expectsMitigation),
    ttrMs: measured(span, clocks, clocks.recovered?.atMono, true),
    detectors: clocks.detectors.map(({ method, atMono }) => ({ method, atMs: since(set, atMono)! })),
    playbook: playbook.ran,
    escalated,
    verification: checks.records.map(({ data: { check, expected, observed, ok } }) => ({
      check,
      expected,
      observed,
      ok,
    })),
    collateralRestarts: [
      ...new Set(
        collateral.filter(({ monoMs }) => monoMs >= span.fromMono && monoMs <= span.toMono).map((c) => c.kernel),
      ),
    ].sort(),
    messages: messagesOf(set, span, sample),
    ...(sample ? { conservation: conservationOf(sample.data.messages, sample.data.durable, sample.data.broker) } : {}),
    latency: { quietP99Ms: quiet?.data.verbs.p99Ms ?? null, duringP99Ms: sample?.data.verbs.p99Ms ?? null },
    evidence: [...evidenceOf(set, span, clocks), ...filesOf(set, span, correlationsOf(spans))],
    records: { from: span.start.seq, to: span.toSeq },
  };
}

/** Why nothing can be concluded, if nothing can. */
function doubtsAbout(
  set: RecordSet,
  span: TrialSpan,
  clocks: Clocks,
  { lapsed }: Machine,
): { fatal: string[]; starved: string | null } {
  const fatal: string[] = [];
  if (!clocks.injected) {
    fatal.push(
      clocks.effect
        ? `The effect of the fault was not proven: ${JSON.stringify(clocks.effect.data.observed)} (#${clocks.effect.seq}).`
        : 'There is no record of an effect of the fault, so nothing was tested.',
    );
  }
  const before = set
    .during('steady:check')
    .find((record) => record.data.wave === span.start.data.wave && record.data.when === 'before');
  if (!before) fatal.push('No steady state was established before the wave.');
  else if (!before.data.ok) fatal.push(`The system was not in its steady state before the wave (#${before.seq}).`);
  if (!span.end) fatal.push('The trial did not end: the run was interrupted or the runner died.');
  const lag = span.end?.data.runnerLagMsMax ?? 0;
  const runner =
    lag > RUNNER_STARVED_MS
      ? `The runner itself stood still for ${Math.round(lag)} ms (#${span.end!.seq}), so what it measured proves nothing.`
      : null;
  const starved = [runner, lapsed].filter((why) => why !== null).join(' ') || null;
  return { fatal, starved };
}

function conclude(doubts: ReturnType<typeof doubtsAbout>, promises: readonly Finding[]): Verdict {
  if (doubts.fatal.length > 0) return 'inconclusive';
  if (promises.some(({ ok, byRunner }) => ok === false && !(byRunner && doubts.starved !== null))) return 'broken';
  if (doubts.starved !== null || promises.some(({ ok }) => ok !== true)) return 'inconclusive';
  return 'held';
}

/** What decided comes first: doubts, then broken promises, then what is unknown, then what held. */
function reasonsFor(
  verdict: Verdict,
  doubts: ReturnType<typeof doubtsAbout>,
  promises: readonly Finding[],
  clocks: Clocks,
): string[] {
  const said = (ok: boolean | null): string[] =>
    promises.filter((finding) => finding.ok === ok).map(({ text }) => text);
  const effect = clocks.injected
    ? [`The fault acted: ${JSON.stringify(clocks.effect!.data.observed)} (#${clocks.effect!.seq}).`]
    : [];
  const against = [
    ...doubts.fatal,
    ...(doubts.starved === null ? [] : [doubts.starved]),
    ...said(false),
    ...said(null),
  ];
  return verdict === 'held' ? [...effect, ...said(true)] : [...against, ...effect];
}

/** Milliseconds from the start of the run to an instant of the monotonic clock, to a tenth. */
function since(set: RecordSet, atMono: number | undefined): number | null {
  return atMono === undefined ? null : tenth(atMono - set.start.monoMs);
}

/** A time-out is a censored value, kept; null when there was nothing to wait for. */
function measured(span: TrialSpan, clocks: Clocks, atMono: number | undefined, awaited: boolean): Measured {
  if (!clocks.injected) return null;
  if (atMono !== undefined) return { ms: tenth(Math.max(0, atMono - clocks.injected.atMono)) };
  return awaited ? { moreThanMs: tenth(Math.max(0, span.toMono - clocks.injected.atMono)) } : null;
}

const tenth = (value: number): number => Math.round(value * 10) / 10;

const NONE = { accepted: 0, handled: 0, rejected: 0, lost: 0 };

/** The workload's own messages, with what the broker says of the whole bus in the same stretch where it reported. */
function messagesOf(
  set: RecordSet,
  span: TrialSpan,
  sample: JournalRecord<'workload:sample'> | undefined,
): TrialResult['messages'] {
  const statistics = set.of('bus:statistics').filter((record) => record.monoMs <= span.toMono);
  const after = statistics.at(-1)?.data;
  const before = statistics.findLast((record) => record.monoMs <= span.fromMono)?.data;
  const live = sample?.data.messages ?? NONE;
  const durable = sample?.data.durable ?? NONE;
  const broker = sample?.data.broker?.totals;
  return {
    accepted: live.accepted + durable.accepted,
    handled: live.handled + durable.handled,
    rejected: live.rejected + durable.rejected,
    expired: broker?.expired ?? (after?.expired ?? 0) - (before?.expired ?? 0),
    deadLettered: broker?.deadLettered ?? (after?.deadLettered ?? 0) - (before?.deadLettered ?? 0),
    waiting: broker?.waiting ?? after?.waiting ?? 0,
    lost: live.lost + durable.lost,
  };
}

function evidenceOf(set: RecordSet, span: TrialSpan, clocks: Clocks): string[] {
  const { lease } = span.start.data;
  const seqs = [
    ...set.during('fault:inject').filter(({ data }) => data.lease === lease),
    ...set.during('fault:undo').filter(({ data }) => data.lease === lease),
    ...set.during('incident:open').filter(({ data }) => span.incidents.has(data.incident.id)),
  ].map(({ seq, name }) => ({ seq, name: name as string }));
  if (clocks.effect) seqs.push({ seq: clocks.effect.seq, name: 'fault:effect' });
  for (const { method, seq } of clocks.detectors) seqs.push({ seq, name: `detector:fire ${method}` });
  if (clocks.mitigated) seqs.push({ seq: clocks.mitigated.seqs[0]!, name: clocks.mitigated.by });
  return seqs.sort((a, b) => a.seq - b.seq).map(({ seq, name }) => `#${seq} ${name}`);
}

/** Files kept about this fault, relative to the home; the folder of the run has them at the same place. */
function filesOf(set: RecordSet, span: TrialSpan, correlations: ReadonlySet<string>): string[] {
  const kept = set.during('kernel:evidence').filter((record) => {
    const { incident } = record.data;
    if (incident !== null) return span.incidents.has(incident);
    return within(span, record) && belongs(span, correlations, record.correlation, [record.kernel]);
  });
  return [...new Set(kept.map(({ data }) => data.file))];
}
