import type { AnyRecord, JournalRecord } from '@grace/contracts';
import type { RecordSet } from './record-set.ts';

/** One trial's stretch of the journal, and which records belong to its fault. */
export interface TrialSpan {
  start: JournalRecord<'trial:start'>;
  end: JournalRecord<'trial:end'> | null;
  fromMono: number;
  toMono: number;
  /** Last record of the trial. */
  toSeq: number;
  /** The target; for a cell, also the kernels that lived in it when it ended. */
  subjects: Set<string>;
  /** Ids of the incidents that belong to this fault. */
  incidents: Set<string>;
}

export function spansOf(set: RecordSet): TrialSpan[] {
  const starts = set.during('trial:start');
  const correlations = new Set(starts.map(({ data }) => data.correlation));
  const last = set.all.at(-1)!;
  return starts.map((start) => {
    const end = set.during('trial:end').find((record) => record.data.trial === start.data.trial) ?? null;
    const span: TrialSpan = {
      start,
      end,
      fromMono: start.monoMs,
      toMono: (end ?? last).monoMs,
      toSeq: (end ?? last).seq,
      subjects: new Set([start.data.target, ...(start.data.also ?? [])]),
      incidents: new Set(),
    };
    for (const exit of set.during('cell:exit')) {
      if (exit.cell === start.data.target && within(span, exit))
        for (const kernel of exit.data.kernels) span.subjects.add(kernel);
    }
    for (const record of set.during('incident:open')) {
      const { incident } = record.data;
      if (
        within(span, record) &&
        belongs(span, correlations, incident.correlation ?? record.correlation, [incident.subject])
      )
        span.incidents.add(incident.id);
    }
    return span;
  });
}

export function within(span: TrialSpan, record: AnyRecord): boolean {
  return record.monoMs >= span.fromMono && record.monoMs <= span.toMono;
}

/**
 * Whether a record is about this trial's fault: it carries its correlation id, or it carries none of a trial and names its subject.
 * Faults that the supervisor does not hold (a flood from outside) have no correlation in its records.
 */
export function belongs(
  span: TrialSpan,
  correlations: ReadonlySet<string>,
  correlation: string | undefined,
  subjects: readonly (string | undefined)[],
): boolean {
  if (correlation === span.start.data.correlation) return true;
  if (correlation !== undefined && correlations.has(correlation)) return false;
  return subjects.some((subject) => subject !== undefined && span.subjects.has(subject));
}

export function correlationsOf(spans: readonly TrialSpan[]): Set<string> {
  return new Set(spans.map(({ start }) => start.data.correlation));
}
