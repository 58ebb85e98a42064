import type { AnyRecord } from '@grace/contracts';
import type { CoreState } from './state.ts';

/** What a fold remembers beside the state, until the record comes that makes it count. */
export interface Fold {
  state: CoreState;
  /** `kernel:restart` counts when the `kernel:state` that goes with it was written too. */
  restarts: Map<string, Extract<AnyRecord, { name: 'kernel:restart' }>>;
  /** Kernels that the last end of a cell took down. */
  exits: Map<string, string[]>;
}

/** Takes a record about an incident; false when it is about something else. */
export function restoreIncident(fold: Fold, record: AnyRecord): boolean {
  const { incidents, cells } = fold.state;
  switch (record.name) {
    case 'incident:open': {
      const { id, kind, subject, openedMono } = record.data.incident;
      const waitsFor = kind === 'cell_crash' ? (fold.exits.get(subject) ?? []) : [];
      incidents[id] = {
        id,
        kind,
        subject,
        openedMono,
        methods: [],
        correlation: record.correlation,
        waitsFor,
        calmSince: null,
      };
      return true;
    }
    case 'detector:fire': {
      const { incident, method, subject, evidence } = record.data;
      const open = incidents[incident];
      if (open && !open.methods.includes(method)) open.methods = [...open.methods, method];
      const cell = cells[subject];
      if (open?.kind === 'cell_crash' && cell && evidence['culprit'] === null)
        cell.unexplained = [...cell.unexplained, record.monoMs];
      return true;
    }
    case 'incident:close': {
      const closed = incidents[record.data.id];
      delete incidents[record.data.id];
      const kernel = closed && fold.state.kernels[closed.subject];
      const others = Object.values(incidents).some(({ subject }) => subject === closed?.subject);
      if (kernel?.state === 'running' && !others) kernel.correlation = undefined;
      return true;
    }
    case 'incident:escalate':
      return true;
    default:
      return false;
  }
}
