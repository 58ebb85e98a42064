import {
  type AnyDraft,
  type CellNotices,
  GraceError,
  KERNEL_EVENTS,
  type SupervisorMethods,
  type SystemPlan,
} from '@grace/contracts';
import type { FaultDesk } from '../client/fault-desk.ts';
import type { CoreEvent } from '../core/events.ts';
import type { Journal } from '../journal/journal.ts';

export interface CellLinkParts {
  plan: SystemPlan;
  journal: Journal;
  faults: FaultDesk;
  emit(event: CoreEvent): void;
  command(input: SupervisorMethods['kernel.command']['params'], deadlineMs: number): Promise<unknown>;
}

/** What a cell tells the supervisor without being asked. */
export function takeCellNotice(parts: CellLinkParts, name: string, data: unknown): void {
  switch (name as keyof CellNotices) {
    case 'sample':
      parts.emit({ t: 'sample', sample: data as CellNotices['sample'] });
      return;
    case 'kernel.exit': {
      const { kernel, incarnation, code, error } = data as CellNotices['kernel.exit'];
      parts.emit({ t: 'exited', kernel, incarnation, code, error: error ?? null });
      return;
    }
    case 'kernel.report': {
      const { kernel, incarnation, event } = data as CellNotices['kernel.report'];
      takeReport(parts, kernel, { ...event, kernel, incarnation } as AnyDraft);
      return;
    }
    case 'fault.undone': {
      const { lease, why } = data as CellNotices['fault.undone'];
      parts.faults.undone(lease, why);
      return;
    }
    default:
  }
}

/** Kernels may report only the events that are theirs. The broker's counters are also evidence for the judgement. */
function takeReport(parts: CellLinkParts, kernel: string, event: AnyDraft): void {
  if (!KERNEL_EVENTS[kernel]?.includes(event.name)) return;
  parts.journal.append(event);
  if (event.name === 'bus:denied') {
    const { principal, count, sinceMs } = event.data;
    parts.emit({ t: 'denied', principal, count, windowMs: sinceMs, threshold: parts.plan.settings.muteThreshold });
  } else if (event.name === 'bus:muted') {
    const { principal, denied, periodMs, by } = event.data;
    parts.emit({ t: 'muted', principal, denied, periodMs, ordered: by !== undefined });
  } else if (event.name === 'bus:backlog') parts.emit({ t: 'backlog', ...event.data });
  else if (event.name === 'record:damaged') parts.emit({ t: 'record-damaged', damaged: event.data });
  else if (event.name === 'record:repaired') parts.emit({ t: 'record-repaired', repaired: event.data });
  else if (event.name === 'bus:unbalanced') parts.emit({ t: 'unbalanced', evidence: event.data });
  else if (event.name === 'bus:balanced') parts.emit({ t: 'balanced', unbalanced: event.data.unbalanced });
  else if (event.name === 'bus:unmuted') parts.emit({ t: 'unmuted', principal: event.data.principal });
}

/** What a cell asks of the supervisor after its hello: what its kernels ask. */
export function answerCell(
  parts: CellLinkParts,
): (method: string, params: unknown, context: { deadlineMs: number }) => Promise<unknown> {
  return async (method, params, { deadlineMs }) => {
    if (method !== 'kernel.command') throw new GraceError('UNKNOWN_METHOD', `a cell may not ask "${method}"`);
    const input = params as SupervisorMethods['kernel.command']['params'];
    const manifest = parts.plan.kernels.find((kernel) => kernel.id === input.kernel);
    if (!manifest?.commands.includes(input.command)) {
      throw new GraceError(
        'FORBIDDEN',
        `the manifest of ${input.kernel} does not grant the command "${input.command}"; it grants ${manifest?.commands.join(', ') || 'none'}`,
      );
    }
    return await parts.command(input, deadlineMs);
  };
}
