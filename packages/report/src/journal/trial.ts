import type { AnyRecord, JournalRecord, TrialResult } from '@grace/contracts';
import type { PlaybookRun, TrialFacts } from '../model.ts';
import { duration, instant } from '../text/units.ts';
import { type Journal, ref, refs } from './journal.ts';
import { reactionOf } from './reaction.ts';

type Context = Omit<TrialFacts, 'chain' | 'facets'>;

/** A verdict's trial with what the journal adds to it: the fault, its instants in the run, the runs of playbooks, the restarts. */
export function trialContext(journal: Journal, result: TrialResult, proves: string | null): Context {
  const start = journal.of('trial:start').find((record) => record.data.trial === result.trial);
  const end = journal.of('trial:end').find((record) => record.data.trial === result.trial);
  const lease = start?.data.lease;
  const effects = lease === undefined ? [] : journal.of('fault:effect').filter((record) => record.data.lease === lease);
  const effect = effects.find((record) => record.data.proven) ?? effects[0];
  const inject = journal.of('fault:inject').find((record) => record.data.lease === lease && lease !== undefined);
  const undo = journal.of('fault:undo').find((record) => record.data.lease === lease && lease !== undefined);
  const faultLease = journal.of('fault:lease').find((record) => record.data.id === lease && lease !== undefined);
  const during = inTrial(result, start, end);
  const subjects = new Set([...subjectsOf(journal, result.target, during), ...(start?.data.also ?? [])]);
  const incidents = incidentsOf(journal, during, start, subjects);
  const ids = new Set(incidents.map((incident) => incident.id));
  return {
    ...result,
    proves,
    fault: inject?.data.kind ?? faultLease?.data.kind ?? null,
    expect: start?.data.expect ?? null,
    startMs: start ? journal.runMs(start.monoMs) : null,
    endMs: end ? journal.runMs(end.monoMs) : null,
    at: {
      injectedMs: result.injectedAtMs,
      undoneMs: undo ? journal.runMs(undo.monoMs) : null,
      detectedMs: result.detectedAtMs,
      mitigatedMs: result.mitigatedAtMs,
      recoveredMs: result.recoveredAtMs,
    },
    detections: result.detectors.map(({ method, atMs }) => ({
      method,
      atMs,
      afterMs: result.injectedAtMs === null ? null : atMs - result.injectedAtMs,
    })),
    effectEvidence: refs(effects.length > 0 && effect ? [effect] : []),
    undo: undo
      ? {
          text: `${undo.data.why} at ${instant(journal.runMs(undo.monoMs))}, ${undo.data.verified ? 'verified' : 'not verified'}`,
          evidence: ref(undo),
        }
      : null,
    playbookRuns: playbookRuns(journal, during, ids),
    incidents,
    targetRestarts: journal
      .of('kernel:restart')
      .filter((record) => record.kernel !== undefined && subjects.has(record.kernel) && during(record))
      .map((record) => ({
        text: `${record.kernel === result.target ? '' : `${record.kernel}: `}restart ${record.data.attempt} after ${duration(record.data.delayMs)}, by ${record.data.by}: ${record.data.cause}`,
        evidence: ref(record),
      })),
    timedOut: end?.data.timedOut ?? null,
    runnerLagMsMax: end?.data.runnerLagMsMax ?? null,
    reaction: reactionOf(journal, aboutTrial(journal, start, during, subjects), ids),
  };
}

/** Records of this fault: by its correlation, or without that of any trial, by kernel or cell and in its time. */
function aboutTrial(
  journal: Journal,
  start: JournalRecord<'trial:start'> | undefined,
  during: (record: { seq: number }) => boolean,
  subjects: ReadonlySet<string>,
): (record: AnyRecord) => boolean {
  const drills = new Set(journal.of('trial:start').map((record) => record.data.correlation));
  return (record) => {
    if (record.correlation !== undefined && drills.has(record.correlation))
      return record.correlation === start?.data.correlation;
    const consumer = record.name === 'bus:backlog' ? record.data.consumer : undefined;
    const names = [record.kernel, record.cell, consumer];
    return during(record) && names.some((name) => name !== undefined && subjects.has(name));
  };
}

/** Whether a record falls into the time of the trial. */
export function inTrial(
  result: Pick<TrialResult, 'records'>,
  start: { seq: number } | undefined,
  end: { seq: number } | undefined,
): (record: { seq: number }) => boolean {
  const from = start?.seq ?? result.records.from;
  const to = end?.seq ?? (result.records.to || Number.POSITIVE_INFINITY);
  return ({ seq }) => seq >= from && seq <= to;
}

/** The target; for a cell, also the kernels that ended with it. */
function subjectsOf(
  journal: Journal,
  target: string,
  during: (record: { seq: number }) => boolean,
): ReadonlySet<string> {
  const ended = journal.of('cell:exit').filter((record) => record.cell === target && during(record));
  return new Set([target, ...ended.flatMap((record) => record.data.kernels)]);
}

/** Incidents with the correlation of this fault; those without one of any trial count when their subject is the target's. */
function incidentsOf(
  journal: Journal,
  during: (record: { seq: number }) => boolean,
  start: JournalRecord<'trial:start'> | undefined,
  subjects: ReadonlySet<string>,
): TrialFacts['incidents'] {
  if (!start) return [];
  const drills = new Set(journal.of('trial:start').map((record) => record.data.correlation));
  return journal
    .of('incident:open')
    .filter((open) => {
      const { incident } = open.data;
      const named = incident.correlation ?? open.correlation;
      if (named !== undefined && drills.has(named)) return named === start.data.correlation;
      return during(open) && subjects.has(incident.subject);
    })
    .map((open) => {
      const { id, kind } = open.data.incident;
      const escalate = journal.of('incident:escalate').find((record) => record.data.id === id);
      const close = journal.of('incident:close').find((record) => record.data.id === id);
      return {
        id,
        kind,
        escalated: escalate?.data.reason ?? null,
        closed: close?.data.outcome ?? null,
        evidence: [...ref(open), ...ref(escalate), ...ref(close)],
      };
    });
}

function playbookRuns(
  journal: Journal,
  during: (record: { seq: number }) => boolean,
  incidents: ReadonlySet<string>,
): PlaybookRun[] {
  return journal
    .of('playbook:start')
    .filter((start) => !start.data.dryRun && during(start) && incidents.has(start.data.incident))
    .map((start) => {
      const steps = journal.of('playbook:step').filter((record) => record.data.run === start.data.run);
      const end = journal.of('playbook:end').find((record) => record.data.run === start.data.run);
      return {
        playbook: start.data.playbook,
        target: start.data.target,
        outcome: end?.data.outcome ?? 'not ended',
        ms: end?.data.ms ?? null,
        detail: end?.data.detail ?? '',
        steps: steps.map(({ data: { step, ok, ms, detail } }) => ({ step, ok, ms, detail })),
        evidence: [...ref(start), ...ref(end)],
      };
    });
}
