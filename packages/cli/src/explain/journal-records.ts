import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type AnyRecord, GraceError, HOME } from '@grace/contracts';
import type { ControlClient } from '@grace/control';
import { readLedger } from '@grace/ledger';
import { parseRecord } from '../reports/records.ts';
import { connect } from '../system/connect.ts';
import { AFTERMATH_MS } from './scene.ts';
import { LOOK_BACK_MS, QUARANTINE_BACK_MS } from './signs.ts';

/** Records asked for at a time. */
const PAGE = 2000;
/** Records read before and after the opening at most; a story needs hundreds. */
const MOST = 100_000;
const DEADLINE_MS = 20_000;

export interface Found {
  /** As `storyOf` needs them. */
  records: AnyRecord[];
  /** Ids of the incidents there are, oldest first. */
  ids: string[];
}

/**
 * The records around an incident, of the system that runs in the home, else from its journal on disk.
 * `id` undefined: around the last incident.
 * @throws GraceError `NOT_FOUND` when the home has no journal, `LEDGER_CORRUPT`
 */
export async function recordsAround(home: string, id: string | undefined): Promise<Found> {
  const client = await connect(home).catch((error: unknown) => {
    if (error instanceof GraceError && error.code === 'NOT_RUNNING') return undefined;
    throw error;
  });
  if (!client) return await fromDisk(home, id);
  try {
    return await fromSystem(client, id, home);
  } finally {
    client.close();
  }
}

/** Asks the system for the pages around the incident; one it has forgotten already is looked for on disk. */
async function fromSystem(client: ControlClient, id: string | undefined, home: string): Promise<Found> {
  const incidents = await client.request('incidents', {});
  const ids = incidents.map((incident) => incident.id);
  const wanted = incidents.find((incident) => incident.id === (id ?? ids.at(-1)));
  const opened = wanted?.events[0];
  if (wanted === undefined || opened === undefined)
    return id === undefined ? { records: [], ids } : await fromDisk(home, id);
  const backMs = wanted.kind === 'quarantine' ? QUARANTINE_BACK_MS : LOOK_BACK_MS;
  const before: AnyRecord[] = [];
  for (let from = opened; from > 1 && before.length < MOST; ) {
    const after = Math.max(0, from - 1 - PAGE);
    const { records } = await client.request('journal.read', { after, limit: from - 1 - after }, DEADLINE_MS);
    before.unshift(...records);
    from = after + 1;
    if ((records[0]?.monoMs ?? 0) < wanted.openedMono - backMs) break;
  }
  const rest: AnyRecord[] = [];
  const until = (wanted.closedMono ?? Number.POSITIVE_INFINITY) + AFTERMATH_MS;
  for (let after = opened - 1; rest.length < MOST; ) {
    const { records, last } = await client.request('journal.read', { after, limit: PAGE }, DEADLINE_MS);
    rest.push(...records);
    after = last;
    if (records.length === 0 || records.at(-1)!.monoMs > until) break;
  }
  const full = incidents.findLast(
    ({ kind, openedMono, closedMono = Number.POSITIVE_INFINITY }) =>
      kind === 'cpu_saturation' && openedMono < wanted.openedMono && closedMono > wanted.openedMono,
  );
  const fullAt = full?.events[0];
  if (fullAt !== undefined && fullAt < (before[0]?.seq ?? opened))
    before.unshift(...(await client.request('journal.read', { after: fullAt - 1, limit: 1 }, DEADLINE_MS)).records);
  return { records: [...before, ...rest], ids };
}

/** Two walks: one finds the incidents, the other takes the records around the wanted one; a journal may be larger than the memory. */
async function fromDisk(home: string, id: string | undefined): Promise<Found> {
  const path = join(home, HOME.journal);
  if (!existsSync(path)) throw new GraceError('NOT_FOUND', `there is no journal in ${home}`, { home });
  const opened = new Map<string, { at: number; full: AnyRecord | undefined }>();
  let full: AnyRecord | undefined;
  for await (const { seq, payload } of readLedger(path, 1, Number.MAX_SAFE_INTEGER)) {
    const record = parseRecord(payload);
    if (record?.name === 'incident:open') {
      opened.set(record.data.incident.id, { at: seq, full });
      if (record.data.incident.kind === 'cpu_saturation') full = record;
    } else if (record?.name === 'system:boot' || (record?.name === 'incident:close' && closes(record.data.id, full)))
      full = undefined;
  }
  const ids = [...opened.keys()];
  const wanted = opened.get(id ?? ids.at(-1) ?? '');
  const records: AnyRecord[] = [];
  if (wanted === undefined) return { records, ids };
  for await (const { payload } of readLedger(path, Math.max(1, wanted.at - MOST), 2 * MOST)) {
    const record = parseRecord(payload);
    if (record) records.push(record);
  }
  if (wanted.full && wanted.full.seq < records[0]!.seq) records.unshift(wanted.full);
  return { records, ids };
}

function closes(id: string, opened: AnyRecord | undefined): boolean {
  return opened?.name === 'incident:open' && opened.data.incident.id === id;
}
