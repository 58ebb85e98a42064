import type { AnyRecord, EventName } from '@grace/contracts';

/** A journal record as it is kept here, with what it is looked up by. */
export interface Happening {
  /** Of the journal. */
  seq: number;
  /** Wall time. */
  atMs: number;
  name: EventName;
  /** The kernel it is about, else the cell, the principal or the target. */
  about: string | null;
  correlation: string | null;
  incident: string | null;
  /** Run of a playbook. */
  run: string | null;
  record: AnyRecord;
}

/** What is kept: whatever can be part of the story of an incident. Samples and counters are not. */
const KEPT: ReadonlySet<string> = new Set<EventName>([
  'system:boot',
  'system:ready',
  'system:stop',
  'system:adopt',
  'system:trouble',
  'cell:online',
  'cell:exit',
  'kernel:state',
  'kernel:ready',
  'kernel:exit',
  'kernel:condition',
  'kernel:probe',
  'kernel:restart',
  'kernel:quarantine',
  'kernel:hand',
  'kernel:limit',
  'kernel:tune',
  'kernel:pressure',
  'kernel:move',
  'kernel:evidence',
  'kernel:stuck',
  'incident:open',
  'incident:close',
  'incident:escalate',
  'detector:fire',
  'playbook:start',
  'playbook:step',
  'playbook:end',
  'bus:denied',
  'bus:muted',
  'bus:unmuted',
  'bus:backlog',
  'record:damaged',
  'record:repaired',
  'drill:permit',
  'drill:revoke',
  'fault:inject',
  'fault:effect',
  'fault:undo',
]);

/** A larger record is cut to its short texts and lists: the journal has it whole. */
const RECORD_CHARS = 8192;
const TEXT_CHARS = 300;
const ENTRIES = 20;

/** Undefined for what is no record of the journal, and for records that are no part of any story. */
export function happeningOf(payload: unknown): Happening | undefined {
  const record = payload as AnyRecord | null;
  if (record === null || typeof record !== 'object' || !KEPT.has(record.name)) return undefined;
  const { seq, wallMs, name, correlation } = record;
  if (!Number.isSafeInteger(seq) || seq < 1 || !Number.isFinite(wallMs)) return undefined;
  if (record.data === null || typeof record.data !== 'object') return undefined;
  const whole = JSON.stringify(record).length <= RECORD_CHARS;
  return {
    seq,
    atMs: wallMs,
    name,
    about: aboutOf(record),
    correlation: correlation ?? correlationOf(record),
    incident: incidentOf(record),
    run: 'run' in record.data && typeof record.data.run === 'string' ? record.data.run : null,
    record: whole ? record : (cut(record) as AnyRecord),
  };
}

function aboutOf(record: AnyRecord): string | null {
  switch (record.name) {
    case 'incident:open':
      return record.data.incident.subject;
    case 'detector:fire':
      return record.data.subject;
    case 'playbook:start':
      return record.data.target;
    case 'bus:denied':
    case 'bus:muted':
    case 'bus:unmuted':
      return record.data.principal;
    case 'bus:backlog':
      return record.data.consumer;
    case 'record:damaged':
    case 'record:repaired':
      return record.data.ledger;
    case 'fault:inject':
      return record.data.target;
    default:
      return record.kernel ?? record.cell ?? null;
  }
}

function correlationOf(record: AnyRecord): string | null {
  return record.name === 'incident:open' ? (record.data.incident.correlation ?? null) : null;
}

function incidentOf(record: AnyRecord): string | null {
  switch (record.name) {
    case 'incident:open':
      return record.data.incident.id;
    case 'incident:close':
    case 'incident:escalate':
      return record.data.id;
    case 'detector:fire':
    case 'playbook:start':
    case 'playbook:end':
    case 'kernel:evidence':
      return record.data.incident;
    default:
      return null;
  }
}

function cut(value: unknown): unknown {
  if (typeof value === 'string') return value.length > TEXT_CHARS ? `${value.slice(0, TEXT_CHARS)}...` : value;
  if (Array.isArray(value)) return value.slice(0, ENTRIES).map(cut);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value)
      .slice(0, ENTRIES)
      .map(([name, part]) => [name, cut(part)]),
  );
}
