import { type AnyRecord, type EventName, type JournalRecord, RUNNER_EVENTS } from '@grace/contracts';

/** The records of one run, in order, and the ways the report looks at them. */
export interface Journal {
  records: readonly AnyRecord[];
  /** Records of these names, in order. */
  of<N extends EventName>(...names: N[]): JournalRecord<N>[];
  first<N extends EventName>(name: N): JournalRecord<N> | undefined;
  last<N extends EventName>(name: N): JournalRecord<N> | undefined;
  /** Monotonic ms of the run's first instant. */
  originMono: number;
  /** Sequence numbers of the run proper: first and last record, the shutdown after it not included. */
  from: number;
  to: number;
  /** A monotonic instant as ms of the run. */
  runMs(mono: number): number;
}

/**
 * Orders the records and keeps one run of them, the last if none is named: from the boot before its `run:start` to its `run:end`, or to the end of the
 * journal when it has none.
 */
export function readJournal(all: readonly AnyRecord[], run?: string): Journal {
  const ordered = [...new Map(all.map((record) => [record.seq, record])).values()].sort((a, b) => a.seq - b.seq);
  const start = ordered.findLast(
    (record) => record.name === 'run:start' && (run === undefined || record.data.run === run),
  );
  const boot =
    ordered.findLast((record) => record.name === 'system:boot' && record.seq <= (start?.seq ?? 0)) ??
    ordered.find((record) => record.name === 'system:boot');
  const next = start && ordered.find((record) => record.name === 'run:start' && record.seq > start.seq);
  const records = ordered.filter(
    (record) =>
      record.seq >= (start && boot && boot.seq < start.seq ? boot.seq : 0) &&
      record.seq < (next?.seq ?? Number.POSITIVE_INFINITY) &&
      // What the laboratory wrote before belongs to a run before.
      (start === undefined || record.seq >= start.seq || !RUNNER_EVENTS.includes(record.name)),
  );
  const end =
    records.find((record) => record.name === 'run:end' && record.seq > (start?.seq ?? 0)) ??
    records.find((record) => record.name === 'system:stop' && record.seq > (start?.seq ?? 0)) ??
    records.at(-1);
  const byName = new Map<EventName, AnyRecord[]>();
  for (const record of records) {
    const same = byName.get(record.name);
    if (same) same.push(record);
    else byName.set(record.name, [record]);
  }
  const named = <N extends EventName>(name: N) => (byName.get(name) ?? []) as unknown as JournalRecord<N>[];
  const originMono = start?.monoMs ?? records[0]?.monoMs ?? 0;
  return {
    records,
    of: (...names) =>
      names.length === 1 ? named(names[0]!) : names.flatMap((name) => named(name)).sort((a, b) => a.seq - b.seq),
    first: (name) => named(name)[0],
    last: (name) => named(name).at(-1),
    originMono,
    from: start?.seq ?? records[0]?.seq ?? 0,
    to: end?.seq ?? 0,
    runMs: (mono) => Math.round((mono - originMono) * 1000) / 1000,
  };
}

/** How the report names a record: `#12`. */
export function ref(record: { seq: number } | undefined): string[] {
  return record === undefined ? [] : [`#${record.seq}`];
}

export function refs(records: readonly { seq: number }[], most = 8): string[] {
  const named = records.slice(0, most).map((record) => `#${record.seq}`);
  return records.length > most ? [...named, `... ${records.length - most} more`] : named;
}
