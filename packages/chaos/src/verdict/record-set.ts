import type { AnyRecord, EventName, JournalRecord } from '@grace/contracts';

/** The records of one run in the order of the journal, whatever order they came in, with those of the boot before it. */
export interface RecordSet {
  start: JournalRecord<'run:start'>;
  end: JournalRecord<'run:end'> | null;
  /** Everything up to the end of the run. */
  all: AnyRecord[];
  of<N extends EventName>(name: N): JournalRecord<N>[];
  /** As `of`, but only from `run:start` on. */
  during<N extends EventName>(name: N): JournalRecord<N>[];
}

/** The records of the last run in the journal, or of the one named; null when there is none. */
export function recordsOfRun(records: readonly AnyRecord[], run?: string): RecordSet | null {
  const sorted = [...records].sort((a, b) => a.seq - b.seq);
  const starts = sorted.filter((record) => record.name === 'run:start');
  const start = starts.findLast((record) => run === undefined || record.data.run === run);
  if (!start) return null;
  const next = starts.find((record) => record.seq > start.seq);
  const own = sorted.filter((record) => next === undefined || record.seq < next.seq);
  const end = own.find((record) => record.seq > start.seq && record.name === 'run:end') ?? null;
  const last = end ?? own.findLast((record) => /^(run|wave|steady|trial|workload):/.test(record.name))!;
  const all = own.filter((record) => record.seq <= last.seq);
  const of = <N extends EventName>(name: N): JournalRecord<N>[] =>
    all.filter((record) => record.name === name) as unknown as JournalRecord<N>[];
  return {
    start,
    end: end as JournalRecord<'run:end'> | null,
    all,
    of,
    during: (name) => of(name).filter((record) => record.seq >= start.seq),
  };
}
