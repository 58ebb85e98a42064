import type { Draft } from './draft.ts';
import { closeIncident, openIncident } from './incidents.ts';
import { killCell } from './orders.ts';
import type { CellRecord } from './state.ts';

/** A cell sends samples twice a second; after this long without one its process is looked at, ms. */
const SILENT_MS = 1500;
/** Two samples that did not come: too little to look at the process, enough to hold nothing against its kernels, ms. */
const UNHEARD_MS = 1000;
/** How often, ms. */
const INSPECT_EVERY_MS = 500;
/** Silence after which the cell is ended, ms: time enough to be woken, and for an agent that is only busy. */
const GIVE_UP_MS = 4000;
/** Share of the silence that its main thread waited for a processor, above which it is starved and not to blame. */
const STARVED_SHARE = 0.35;

/** Whether nothing can be said about the kernels of a cell, because its agent says nothing. */
export function isSilent(draft: Draft, id: string): boolean {
  const { silence, heardMono } = draft.cell(id);
  return silence !== null || draft.now - heardMono > UNHEARD_MS;
}

/**
 * A cell whose agent is not heard: stopped by a signal, its main thread blocked, or not let on a processor. Its threads may serve on, so it is
 * first looked at, then woken, and only then ended.
 */
export function watchSilence(draft: Draft, id: string): void {
  const cell = draft.cell(id);
  if (cell.state !== 'online') return;
  // A supervisor that was late itself has not listened.
  if (cell.silence === null && draft.now - cell.heardMono <= SILENT_MS + draft.state.machine.lagMs) return;
  cell.silence ??= { since: draft.now, askedMono: -Infinity, from: null };
  if (draft.now - cell.silence.askedMono < INSPECT_EVERY_MS) return;
  cell.silence = { ...cell.silence, askedMono: draft.now };
  draft.order({ do: 'inspect-cell', cell: id, incarnation: cell.incarnation });
}

export function takeInspection(
  draft: Draft,
  id: string,
  seen: { stopped: boolean; main: { cpuMs: number; runDelayMs: number } | null },
): void {
  const cell = draft.cell(id);
  const { silence } = cell;
  if (cell.state !== 'online' || silence === null) return;
  cell.silence = { ...silence, from: silence.from ?? seen.main };
  const silentMs = Math.round(draft.now - cell.heardMono);
  const waited = waitedShare(cell, seen.main, draft.now);
  if (!seen.stopped && waited !== null && waited > STARVED_SHARE) return;
  const evidence = {
    silentMs,
    stopped: seen.stopped,
    waitedShare: waited === null ? null : Math.round(waited * 100) / 100,
  };
  openIncident(draft, 'cell_frozen', id, 'heartbeat', evidence);
  if (seen.stopped) {
    openIncident(draft, 'cell_frozen', id, 'metric', evidence);
    draft.order({ do: 'continue-cell', cell: id, incarnation: cell.incarnation });
  }
  if (draft.now - silence.since >= GIVE_UP_MS) killCell(draft, id);
}

/** A sample came. */
export function heard(draft: Draft, id: string): void {
  const cell = draft.cell(id);
  cell.heardMono = draft.now;
  if (cell.silence === null) return;
  cell.silentMono = draft.now;
  cell.silence = null;
  for (const incident of Object.values(draft.state.incidents))
    if (incident.kind === 'cell_frozen' && incident.subject === id)
      closeIncident(draft, incident.id, 'its agent is heard again; nothing was restarted');
  // What its kernels were doing meanwhile is found out by asking them.
  for (const [, kernel] of draft.kernelsOf(id)) if (kernel.state === 'running') kernel.probe.dueMono = draft.now;
}

function waitedShare(cell: CellRecord, main: { cpuMs: number; runDelayMs: number } | null, now: number): number | null {
  const from = cell.silence?.from;
  if (!from || !main || !cell.silence) return null;
  const forMs = now - cell.silence.since;
  return forMs < INSPECT_EVERY_MS ? null : (main.runDelayMs - from.runDelayMs) / forMs;
}
