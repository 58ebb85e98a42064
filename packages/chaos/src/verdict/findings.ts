import type { JournalRecord } from '@grace/contracts';
import type { Clocks } from './clocks.ts';
import type { Collateral } from './collateral.ts';
import { conserved } from './conservation.ts';
import type { Finding } from './finding.ts';
import type { RecordSet } from './record-set.ts';
import { HOLD_MS } from './recovery.ts';
import { type TrialSpan, within } from './trial-span.ts';
import { latenessExcused, type Machine, slownessExcused } from './withheld.ts';

const ms = (value: number): string => `${Math.round(value)} ms`;
const and = (excuse: string | null): string => (excuse === null ? '' : `; ${excuse}`);
const at = (...seqs: number[]): string => (seqs.length === 0 ? '' : ` (${seqs.map((seq) => `#${seq}`).join(', ')})`);

export function detection(span: TrialSpan, clocks: Clocks, machine: Machine): Finding {
  const { detectedBy, detectWithinMs } = span.start.data.expect;
  if (detectedBy.length === 0) return { ok: true, text: 'Nothing had to notice it.', byRunner: false };
  const expected = detectedBy.join(' or ');
  const first = clocks.detectors.find(({ method }) => detectedBy.includes(method));
  if (!first || !clocks.injected) {
    const other = clocks.detectors.map(({ method, seq }) => `${method} #${seq}`).join(', ');
    return {
      ok: machine.lapsed === null ? false : null,
      text: `Not noticed by ${expected} within ${ms(span.toMono - (clocks.injected?.atMono ?? span.fromMono))}${other === '' ? '' : `; only by ${other}`}.`,
      byRunner: false,
    };
  }
  const took = first.atMono - clocks.injected.atMono;
  const ok = took <= detectWithinMs;
  const excuse = ok ? null : latenessExcused(machine.system, clocks.injected.atMono, first.atMono, detectWithinMs);
  return {
    ok: excuse === null ? ok : null,
    text: `${first.method} noticed it after ${ms(took)}${at(first.seq)}; ${ok ? 'within' : 'later than'} the ${ms(detectWithinMs)} allowed${and(excuse)}.`,
    byRunner: false,
  };
}

export function recovery(span: TrialSpan, clocks: Clocks, machine: Machine): Finding {
  const { recoverWithinMs, recoveredBy } = span.start.data.expect;
  const methods = recoveredBy.join(', ');
  if (!clocks.recovered || !clocks.injected) {
    const waited = span.toMono - (clocks.injected?.atMono ?? span.fromMono);
    return {
      ok: false,
      text: `Not recovered within ${ms(waited)}: there is no second in which ${methods} agreed that it was over and no kernel was down.`,
      byRunner: true,
    };
  }
  const took = clocks.recovered.atMono - clocks.injected.atMono;
  const ok = took <= recoverWithinMs;
  const excuse = ok
    ? null
    : latenessExcused(machine.all, clocks.injected.atMono, clocks.recovered.atMono, recoverWithinMs);
  return {
    ok: excuse === null ? ok : null,
    text: `Recovered after ${ms(took)} and held for ${ms(HOLD_MS)} by ${methods}${at(...clocks.recovered.seqs)}; ${ok ? 'within' : 'later than'} the ${ms(recoverWithinMs)} allowed${and(excuse)}.`,
    byRunner: true,
  };
}

export function restarts(set: RecordSet, span: TrialSpan): Finding[] {
  const { target, expect } = span.start.data;
  if (expect.targetRestarts === null) return [];
  const seen = set.during('kernel:restart').filter((record) => record.kernel === target && within(span, record));
  return [
    {
      ok: seen.length === expect.targetRestarts,
      text: `${target} was restarted ${seen.length} times${at(...seen.map(({ seq }) => seq))}; ${expect.targetRestarts} expected.`,
      byRunner: false,
    },
  ];
}

export function untouched(span: TrialSpan, collateral: readonly Collateral[]): Finding {
  const harmed = collateral.filter(({ monoMs }) => monoMs >= span.fromMono && monoMs <= span.toMono);
  if (harmed.length === 0) return { ok: true, text: 'No untouched kernel was restarted.', byRunner: false };
  const list = harmed.map(({ kernel, what, seq }) => `${kernel} ${what} (#${seq})`).join(', ');
  return { ok: false, text: `Collateral: ${list}, although the fault was not theirs.`, byRunner: false };
}

export function playbook(
  set: RecordSet,
  span: TrialSpan,
  machine: Machine,
): { finding: Finding[]; ran: string | null } {
  const expected = span.start.data.expect.playbook;
  const runs = set
    .during('playbook:start')
    .filter((record) => within(span, record) && !record.data.dryRun && span.incidents.has(record.data.incident));
  const run = runs.find((record) => record.data.playbook === expected) ?? runs[0];
  const ran = run?.data.playbook ?? null;
  if (expected === null) return { finding: [], ran };
  const ok = ran === expected;
  const text = ok
    ? `The playbook ${expected} ran${at(run!.seq)}.`
    : `The playbook ${expected} did not run for an incident of this fault.`;
  return { finding: [{ ok: ok || machine.lapsed === null ? ok : null, text, byRunner: false }], ran };
}

type Sample = JournalRecord<'workload:sample'>;

/** The workload: nothing accepted was lost, nothing untouched failed, neighbours stayed within the latency bounds. */
export function workload(
  span: TrialSpan,
  sample: Sample | undefined,
  quiet: Sample | undefined,
  machine: Machine,
): Finding[] {
  if (!sample) return [{ ok: null, text: 'There is no workload sample of this trial.', byRunner: true }];
  const { messages, durable, verbs, appends } = sample.data;
  const { latencyFactor, latencySlackMs } = span.start.data.expect;
  const seen = at(sample.seq);
  const findings: Finding[] = [
    {
      ok: messages.lost === 0,
      text: `${messages.lost} of ${messages.accepted} accepted messages were lost, ${messages.handled} handled, ${messages.rejected} refused with a code${seen}.`,
      byRunner: true,
    },
    ...(durable === undefined
      ? []
      : [
          {
            ok: durable.lost === 0,
            text: `${durable.lost} of ${durable.accepted} accepted durable messages were lost, ${durable.handled} handled, ${durable.repeated} brought again, ${durable.rejected} refused with a code${seen}.`,
            byRunner: true,
          },
        ]),
    ...conserved(sample),
    {
      ok: verbs.failed === 0 && appends.failed === 0,
      text: `${verbs.failed} of ${verbs.ok + verbs.failed} verb calls and ${appends.failed} of ${appends.ok + appends.failed} appends to untouched kernels failed${seen}.`,
      byRunner: true,
    },
  ];
  if (!quiet || quiet.data.verbs.ok === 0 || verbs.ok === 0) {
    findings.push({
      ok: null,
      text: 'Latency could not be compared: too few verb calls were answered.',
      byRunner: true,
    });
  } else {
    const bound = quiet.data.verbs.p99Ms * latencyFactor + latencySlackMs;
    const ok = verbs.p99Ms <= bound;
    const excuse = ok ? null : slownessExcused(machine.all, sample.data, verbs.p99Ms, bound);
    findings.push({
      ok: excuse === null ? ok : null,
      text: `p99 of the neighbours' verbs was ${verbs.p99Ms.toFixed(1)} ms${seen}; quiet ${quiet.data.verbs.p99Ms.toFixed(1)} ms${at(quiet.seq)}, bound ${bound.toFixed(1)} ms${and(excuse)}.`,
      byRunner: true,
    });
  }
  return findings;
}

export function checks(
  set: RecordSet,
  span: TrialSpan,
): { findings: Finding[]; records: JournalRecord<'trial:check'>[] } {
  const records = set.during('trial:check').filter((record) => record.data.trial === span.start.data.trial);
  const findings = records.map(
    ({ seq, data }): Finding => ({
      ok: data.ok,
      text: `${data.check}: ${data.ok === null ? 'could not be evaluated' : data.ok ? 'true' : 'false'}; expected ${data.expected}, observed ${data.observed}${at(seq)}.`,
      byRunner: true,
    }),
  );
  return { findings, records };
}
