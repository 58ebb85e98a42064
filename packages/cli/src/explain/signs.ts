import type { AnyRecord, EventName, JournalRecord } from '@grace/contracts';

/** How far before its opening the signs of an incident are looked for, ms. */
export const LOOK_BACK_MS = 10_000;
/** How far back the restarts that led to a quarantine are looked for at most, ms. */
export const QUARANTINE_BACK_MS = 600_000;
/** Where its record of the quarantine itself stands: right before the opening. */
const NEAR = 10;

/** From when on records may be signs of an incident, monotonic ms. A quarantine is the end of a row of restarts, which are part of it. */
export function signsFromMs(records: readonly AnyRecord[], start: number): number {
  const opened = records[start] as JournalRecord<'incident:open'>;
  const given = givenUp(records.slice(Math.max(0, start - NEAR), start), opened);
  const backMs = given ? Math.min(QUARANTINE_BACK_MS, Math.max(LOOK_BACK_MS, given.data.windowMs)) : LOOK_BACK_MS;
  return opened.monoMs - backMs;
}

/**
 * The number of the first sign: of what belongs to the incident, the first after the subject was last well. That it became ready, that its
 * condition went back to healthy and that an earlier incident was closed end what was before, unless they carry the same correlation.
 * For a cell, a principal and the machine, which have no condition, the first setback.
 */
export function firstSign(
  around: readonly AnyRecord[],
  opened: JournalRecord<'incident:open'>,
  isMine: (record: AnyRecord) => boolean,
): number {
  const before = around.filter(({ seq }) => seq < opened.seq);
  const { subject } = opened.data.incident;
  const signs = before.filter(isMine);
  if (givenUp(before.slice(-NEAR), opened)) return signs.find(isSetback)?.seq ?? opened.seq;
  // A cell is well from the moment that it is there.
  const online = signs.findLast((record) => record.name === 'cell:online' && record.cell === subject);
  if (opened.kernel !== subject)
    return signs.find((record) => record.seq > (online?.seq ?? 0) && isSetback(record))?.seq ?? opened.seq;
  const well = before.findLast(
    (record) =>
      (opened.correlation === undefined || record.correlation !== opened.correlation) &&
      record.kernel === subject &&
      (record.name === 'kernel:ready' ||
        record.name === 'incident:close' ||
        (record.name === 'kernel:condition' && record.data.to === 'healthy')),
  );
  return signs.find(({ seq }) => seq > (well?.seq ?? 0))?.seq ?? opened.seq;
}

/** What does not happen to a subject that is well. */
const SETBACKS: ReadonlySet<EventName> = new Set<EventName>([
  'kernel:exit',
  'kernel:restart',
  'kernel:stuck',
  'cell:exit',
  'fault:inject',
  'bus:denied',
  'bus:muted',
]);

function isSetback({ name }: AnyRecord): boolean {
  return SETBACKS.has(name);
}

/** The record of a quarantine for a used-up budget that an incident stands for. */
function givenUp(
  near: readonly AnyRecord[],
  opened: JournalRecord<'incident:open'>,
): JournalRecord<'kernel:quarantine'> | undefined {
  const { kind, subject } = opened.data.incident;
  if (kind !== 'quarantine') return undefined;
  const given = near.findLast((record) => record.name === 'kernel:quarantine' && record.kernel === subject);
  return given?.name === 'kernel:quarantine' && given.data.cause !== 'quarantine' ? given : undefined;
}
