import { type AnyRecord, type EventName, GraceError, type JournalRecord } from '@grace/contracts';
import { belonging } from './belonging.ts';
import { firstSign, signsFromMs } from './signs.ts';

/** The records among which the story of one incident plays. */
export interface Scene {
  opened: JournalRecord<'incident:open'>;
  closed: JournalRecord<'incident:close'> | undefined;
  /** What ended it without closing it: the stop of the system, or a new boot. */
  cutOff: AnyRecord | undefined;
  correlation: string | undefined;
  /** Kernel, cell, principal or `machine`. */
  subject: string;
  /** What the subject is. */
  about: 'kernel' | 'cell' | 'other';
  /** The cells it is about: the subject, or those in which the kernel lived or came to live. */
  cells: ReadonlySet<string>;
  /** Everything from a little before the incident to the end of what followed, of whomever. */
  around: readonly AnyRecord[];
  /** The opening of the incident of a full machine that was open when this one opened. */
  full: JournalRecord<'incident:open'> | undefined;
  /** Those of them that belong to it. */
  mine: readonly AnyRecord[];
  /** ms since the incident was opened. */
  at(record: AnyRecord): number;
}

/** How long after its end what follows from it is still told: a limit that is lifted, a kernel that returns from a cell of its own, ms. */
export const AFTERMATH_MS = 120_000;

type Named<N extends EventName> = Extract<AnyRecord, { name: N }>;

/** @throws GraceError `UNKNOWN_INCIDENT` when the records, oldest first, hold no opening of it */
export function sceneOf(records: readonly AnyRecord[], id: string): Scene {
  const start = records.findIndex((record) => record.name === 'incident:open' && record.data.incident.id === id);
  if (start < 0) throw new GraceError('UNKNOWN_INCIDENT', `the journal holds no opening of an incident "${id}"`);
  const opened = records[start] as JournalRecord<'incident:open'>;
  const { subject } = opened.data.incident;
  const boots = newBoots(records);

  const later = records.slice(start + 1);
  const isEnd = (record: AnyRecord): boolean =>
    isClose(record, id) || boots.has(record.seq) || record.name === 'system:stopped';
  const endAt = later.findIndex(isEnd);
  const end = later[endAt];
  const closed = end && isClose(end, id) ? (end as JournalRecord<'incident:close'>) : undefined;
  const followed = closed ? later.slice(endAt + 1) : [];
  // What comes after a new boot, or once the subject has its next incident, belongs to another story.
  const next = followed.findIndex(
    (record) => boots.has(record.seq) || (record.name === 'incident:open' && record.data.incident.subject === subject),
  );
  const around = [
    ...precedingOf(records, start, boots),
    ...records.slice(start, end ? start + endAt + 2 : undefined),
    ...(next < 0 ? followed : followed.slice(0, next)).filter(({ monoMs }) => monoMs - closed!.monoMs <= AFTERMATH_MS),
  ];

  const about = opened.kernel === subject ? 'kernel' : opened.cell === subject ? 'cell' : 'other';
  const cells = cellsOf(around, opened, about);
  const isMine = belonging({ id, subject, about, correlation: opened.correlation, cells });
  const from = firstSign(around, opened, isMine);
  return {
    opened,
    closed,
    cutOff: closed ? undefined : end,
    correlation: opened.correlation,
    subject,
    about,
    cells,
    around,
    full: fullMachine(records, opened, boots),
    mine: around.filter(
      (record) => isMine(record) && record.seq >= from && (!closed || record.seq <= closed.seq || isAftermath(record)),
    ),
    at: (record) => Math.round(record.monoMs - opened.monoMs),
  };
}

function fullMachine(
  records: readonly AnyRecord[],
  opened: JournalRecord<'incident:open'>,
  boots: ReadonlySet<number>,
): Scene['full'] {
  let full: Scene['full'];
  for (const record of records) {
    if (record.seq >= opened.seq) break;
    if (record.name === 'incident:open' && record.data.incident.kind === 'cpu_saturation') full = record;
    else if (boots.has(record.seq) || isClose(record, full?.data.incident.id ?? '')) full = undefined;
  }
  return full;
}

/** Records of these names among those that belong to the incident. */
export function mineOf<N extends EventName>(scene: Pick<Scene, 'mine'>, ...names: N[]): Named<N>[] {
  return named(scene.mine, ...names);
}

export function named<N extends EventName>(records: readonly AnyRecord[], ...names: N[]): Named<N>[] {
  return records.filter((record): record is Named<N> => (names as string[]).includes(record.name));
}

function isClose(record: AnyRecord, id: string): boolean {
  return record.name === 'incident:close' && record.data.id === id;
}

/** Boots that began anew. A supervisor that took over running cells goes on with what its predecessor left. */
function newBoots(records: readonly AnyRecord[]): Set<number> {
  const adopted = new Set(named(records, 'system:adopt').map(({ data }) => data.pid));
  return new Set(
    named(records, 'system:boot')
      .filter(({ data }) => !adopted.has(data.pid))
      .map(({ seq }) => seq),
  );
}

/** What came shortly before, of the same boot: monotonic time begins anew with the machine, so an earlier boot cannot be compared. */
function precedingOf(records: readonly AnyRecord[], start: number, boots: ReadonlySet<number>): AnyRecord[] {
  const preceding = records.slice(0, start);
  const boot = preceding.findLastIndex(({ seq }) => boots.has(seq));
  const fromMs = signsFromMs(records, start);
  return preceding.slice(Math.max(0, boot)).filter(({ monoMs }) => monoMs >= fromMs);
}

function cellsOf(
  around: readonly AnyRecord[],
  opened: JournalRecord<'incident:open'>,
  about: Scene['about'],
): Set<string> {
  const { subject } = opened.data.incident;
  if (about === 'cell') return new Set([subject]);
  const cells = new Set<string>();
  if (about === 'other') return cells;
  for (const record of around) {
    if (record.kernel !== subject) continue;
    if (record.cell !== undefined) cells.add(record.cell);
    if (record.name === 'kernel:move') cells.add(record.data.to);
  }
  return cells;
}

/** What is still told of the time after the end. */
function isAftermath({ name }: AnyRecord): boolean {
  return name === 'kernel:evidence' || name === 'kernel:move' || name === 'kernel:limit' || name === 'fault:undo';
}
