import type { AnyRecord, EventMap, JournalRecord, RecordProblem } from '@grace/contracts';
import type { Claim, KeptFile, Reaction } from '../model.ts';
import { count, duration, list, megabytes, percent, plural } from '../text/units.ts';
import { type Journal, ref } from './journal.ts';

/** What the system held back, asked to shed, moved and kept because of one fault, as the journal has it. */
export function reactionOf(
  journal: Journal,
  isAbout: (record: AnyRecord) => boolean,
  incidents: ReadonlySet<string>,
): Reaction {
  const limits = journal.of('kernel:limit').filter(isAbout);
  const pressures = journal.of('kernel:pressure').filter(isAbout);
  return {
    limits: limits.map(limit),
    pressure: pressures.map(pressure),
    ladder: ladder(journal, isAbout),
    record: [...journal.of('record:damaged').filter(isAbout), ...journal.of('record:repaired').filter(isAbout)]
      .sort((a, b) => a.seq - b.seq)
      .map((record) => ({ text: recordText(record), evidence: ref(record) })),
    backlog: journal
      .of('bus:backlog')
      .filter(isAbout)
      .map((record) => ({ text: backlogText(record.data), evidence: ref(record) })),
    kept: journal
      .of('kernel:evidence')
      .filter((record) => (record.data.incident === null ? isAbout(record) : incidents.has(record.data.incident)))
      .map(kept),
  };
}

function limit(record: JournalRecord<'kernel:limit'>): Claim {
  const { kernel, data } = record;
  const { cpu, method, why, by } = data;
  const because = why === 'overload' ? 'for overload' : why === 'hand' ? `by order of ${by}` : 'by its manifest';
  const text =
    cpu === null
      ? `${kernel}: CPU limit lifted`
      : method === 'none'
        ? `${kernel}: ${percent(cpu)} of a core was set ${because}, and nothing on this machine enforces it`
        : `${kernel} held to ${percent(cpu)} of a core ${because}, enforced by ${method}`;
  return { text, evidence: ref(record) };
}

function pressure(record: JournalRecord<'kernel:pressure'>): Claim {
  const { of, bytes, limitBytes, ratio, bytesPerSecond } = record.data;
  const growth = bytesPerSecond === null ? '' : `, growing ${megabytes(bytesPerSecond)} a second`;
  return {
    text: `${record.kernel}: ${of} memory ${megabytes(bytes)} of ${megabytes(limitBytes)} (${percent(ratio)})${growth}`,
    evidence: ref(record),
  };
}

/** What was found on the disk, and what was done about it. */
export function recordText({ name, data }: JournalRecord<'record:damaged'> | JournalRecord<'record:repaired'>): string {
  if (name === 'record:damaged')
    return `${plural(data.count, 'flaw')} in the record ${data.ledger}: ${list(data.problems.map(flaw), 3)}`;
  const again = data.restored.length === 0 ? '' : `, ${list(data.restored, 3)} made again`;
  return `record ${data.ledger} ${data.action} by ${data.by} in ${duration(data.tookMs)}${again}; epoch ${count(data.epoch)}, ${plural(data.lost, 'entry', 'entries')} lost, ${count(data.disputed)} disputed`;
}

function flaw({ kind, segment, offset, seq }: RecordProblem): string {
  const where = segment === '' ? 'the folder' : `${segment} at byte ${count(offset)}`;
  return `${kind} in ${where}${seq === undefined ? '' : ` (record ${count(seq)})`}`;
}

export function backlogText({ consumer, waiting, oldestMs, over }: EventMap['bus:backlog']): string {
  if (!over) return `the backlog of ${consumer} is gone`;
  return `${plural(waiting, 'message')} wait for ${consumer}${oldestMs === null ? '' : `, the oldest for ${duration(oldestMs)}`}`;
}

/** Rungs beyond the end of the thread: what did not return, which process had to end, who lives alone since. */
function ladder(journal: Journal, isAbout: (record: AnyRecord) => boolean): Claim[] {
  return journal
    .of('kernel:stuck', 'cell:exit', 'kernel:move')
    .filter((record) => isAbout(record as AnyRecord))
    .map((record) => ({ text: rung(record as AnyRecord), evidence: ref(record) }));
}

function rung(record: AnyRecord): string {
  switch (record.name) {
    case 'kernel:stuck':
      return `${record.kernel}: ${record.data.rung}`;
    case 'cell:exit':
      return `the process of cell ${record.cell} ended (${record.data.signal ?? `code ${record.data.code}`}) with ${list(record.data.kernels, 6)}`;
    case 'kernel:move':
      return `${record.kernel} moved from ${record.data.from} to ${record.data.to} (${record.data.why})`;
    default:
      return record.name;
  }
}

function kept(record: JournalRecord<'kernel:evidence'>): KeptFile {
  const { kind, file, bytes, top } = record.data;
  return { kind, kernel: record.kernel ?? record.cell ?? null, file, bytes, top: [...top], evidence: ref(record) };
}
