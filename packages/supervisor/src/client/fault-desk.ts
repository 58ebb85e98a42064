import { randomUUID } from 'node:crypto';
import {
  ACTOR_FAULTS,
  CELL_FAULTS,
  type CellMethods,
  type Clock,
  type DrillPermit,
  didYouMean,
  type FaultKind,
  type FaultLease,
  GraceError,
  THREAD_FAULTS,
} from '@grace/contracts';
import type { Channel } from '@grace/control';
import type { CoreEvent } from '../core/events.ts';
import type { CoreState } from '../core/state.ts';
import type { Journal } from '../journal/journal.ts';
import type { DrillAuthority } from './drill-authority.ts';

/** Drill permits and fault leases of an armed system. Leases are held by the targets; the desk checks, passes on and writes down. */
export interface FaultDesk {
  permit(input: { holder: string; faults: FaultKind[]; durationMs: number }): Promise<DrillPermit>;
  revoke(id: string): Promise<void>;
  apply(lease: FaultLease): Promise<{ appliedMono: number }>;
  renew(id: string): Promise<{ active: boolean }>;
  undo(id: string): Promise<{ verified: boolean }>;
  list(): Promise<CellMethods['fault.list']['result']>;
  /** A target reports that a fault ended by itself. */
  undone(lease: string, why: 'lapsed' | 'expired' | 'target gone'): void;
}

/** Longest permit, ms. */
const PERMIT_MAX_MS = 3_600_000;
const DEADLINE_MS = 3000;

export function createFaultDesk(parts: {
  armed: boolean;
  clock: Clock;
  journal: Journal;
  state(): CoreState;
  channel(cell: string): Channel | undefined;
  emit(event: CoreEvent): void;
  /** Null: the system has no governance, and booting it armed is the permission. */
  authority: DrillAuthority | null;
}): FaultDesk {
  const permits = new Map<string, DrillPermit>();
  const leases = new Map<string, { lease: FaultLease; cell: string }>();

  const requireArmed = (): void => {
    if (!parts.armed)
      throw new GraceError(
        'NOT_ARMED',
        'this system was not booted armed; faults exist only after grace boot --armed or in grace stress',
      );
  };

  const checkPermit = (lease: FaultLease): void => {
    const permit = permits.get(lease.permit);
    if (!permit) throw new GraceError('NO_PERMIT', `there is no drill permit ${lease.permit}`);
    if (permit.untilMono < parts.clock.monoMs())
      throw new GraceError('NO_PERMIT', `the drill permit ${permit.id} has run out`);
    if (!permit.faults.includes(lease.kind))
      throw new GraceError(
        'NO_PERMIT',
        `the drill permit ${permit.id} does not cover ${lease.kind}; it covers ${permit.faults.join(', ')}`,
      );
  };

  /** The cell that holds the target, and the kernels whose records belong to the fault. */
  const locate = (lease: FaultLease): { cell: string; kernels: string[] } => {
    const { kernels, cells } = parts.state();
    if ((THREAD_FAULTS as readonly string[]).includes(lease.kind)) {
      const kernel = kernels[lease.target];
      if (!kernel)
        throw new GraceError(
          'UNKNOWN_KERNEL',
          `there is no kernel "${lease.target}"${didYouMean(lease.target, Object.keys(kernels))}`,
        );
      if (kernel.incarnation !== lease.incarnation || kernel.state !== 'running') {
        throw new GraceError(
          'FAULT_TARGET',
          `${lease.target} is ${kernel.state} in incarnation ${kernel.incarnation}; the lease is for a running incarnation ${lease.incarnation}`,
        );
      }
      return { cell: kernel.cell, kernels: [lease.target] };
    }
    if ((CELL_FAULTS as readonly string[]).includes(lease.kind)) {
      const cell = cells[lease.target];
      if (!cell)
        throw new GraceError(
          'FAULT_TARGET',
          `there is no cell "${lease.target}"${didYouMean(lease.target, Object.keys(cells))}`,
        );
      if (cell.incarnation !== lease.incarnation)
        throw new GraceError(
          'FAULT_TARGET',
          `cell ${lease.target} is in incarnation ${cell.incarnation}, not ${lease.incarnation}`,
        );
      return { cell: lease.target, kernels: Object.keys(kernels).filter((id) => kernels[id]!.cell === lease.target) };
    }
    const hint = (ACTOR_FAULTS as readonly string[]).includes(lease.kind)
      ? 'this fault is made by a process of the laboratory, not by the system'
      : `faults: ${[...THREAD_FAULTS, ...CELL_FAULTS].join(', ')}`;
    throw new GraceError('FAULT_UNKNOWN', `the system cannot make the fault "${lease.kind}": ${hint}`);
  };

  const ask = <M extends 'fault.apply' | 'fault.renew' | 'fault.undo' | 'fault.list'>(
    cell: string,
    method: M,
    params: CellMethods[M]['params'],
  ) => {
    const channel = parts.channel(cell);
    if (!channel) throw new GraceError('CELL_GONE', `cell ${cell} is not connected`);
    return channel.request<CellMethods[M]['result']>(method, params, DEADLINE_MS);
  };

  const end = (id: string, why: 'requested' | 'lapsed' | 'expired' | 'target gone', verified: boolean): void => {
    const held = leases.get(id);
    if (!held) return;
    leases.delete(id);
    const { lease } = held;
    parts.journal.append({ name: 'fault:undo', correlation: lease.correlation, data: { lease: id, why, verified } });
    parts.emit({ t: 'correlate', kernels: [lease.target], correlation: undefined });
  };

  return {
    async permit(input) {
      requireArmed();
      const { holder, faults, durationMs } = input;
      if (!(durationMs > 0 && durationMs <= PERMIT_MAX_MS))
        throw new GraceError('BAD_INPUT', `a permit lasts from 1 to ${PERMIT_MAX_MS} ms, not ${durationMs}`);
      const untilMono = parts.clock.monoMs() + durationMs;
      const granted = await parts.authority?.grant(input);
      const permit: DrillPermit = {
        id: granted?.id ?? `permit-${randomUUID()}`,
        holder,
        faults,
        untilMono,
        issuer: granted ? 'governance' : 'armed boot',
      };
      permits.set(permit.id, permit);
      parts.journal.append({ name: 'drill:permit', data: permit });
      return permit;
    },
    async revoke(id) {
      requireArmed();
      const permit = permits.get(id);
      if (!permit) throw new GraceError('NOT_FOUND', `there is no drill permit ${id}`);
      permits.delete(id);
      parts.journal.append({ name: 'drill:revoke', data: { id } });
      if (permit.issuer !== 'governance') return;
      // Revoked here it is, whether or not governance can write it down; there it ends at its time.
      await parts.authority?.end(id).catch((error: Error) => {
        const what = `governance could not be told that drill permit ${id} was revoked: ${error.message}`;
        parts.journal.append({ name: 'system:trouble', data: { what } });
      });
    },
    async apply(lease) {
      requireArmed();
      checkPermit(lease);
      const { cell, kernels } = locate(lease);
      parts.emit({ t: 'correlate', kernels, correlation: lease.correlation });
      leases.set(lease.id, { lease, cell });
      parts.journal.append({
        name: 'fault:inject',
        correlation: lease.correlation,
        data: { lease: lease.id, target: lease.target, kind: lease.kind },
      });
      try {
        return await ask(cell, 'fault.apply', { lease });
      } catch (error) {
        // The end of its own process is how this fault answers.
        if (lease.kind === 'segmentation_fault' && error instanceof GraceError && error.code === 'CONNECTION_CLOSED')
          return { appliedMono: parts.clock.monoMs() };
        end(lease.id, 'target gone', true);
        throw error;
      }
    },
    async renew(id) {
      const held = leases.get(id);
      if (!held) return { active: false };
      return await ask(held.cell, 'fault.renew', { id });
    },
    async undo(id) {
      const held = leases.get(id);
      if (!held) return { verified: true };
      try {
        const { verified } = await ask(held.cell, 'fault.undo', { id });
        end(id, 'requested', verified);
        return { verified };
      } catch (error) {
        if (error instanceof GraceError && (error.code === 'CELL_GONE' || error.code === 'CONNECTION_CLOSED')) {
          end(id, 'target gone', true);
          return { verified: true };
        }
        throw error;
      }
    },
    async list() {
      const cells = Object.entries(parts.state().cells).filter(([, cell]) => cell.state === 'online');
      const lists = await Promise.all(cells.map(([cell]) => ask(cell, 'fault.list', {})));
      return lists.flat();
    },
    undone: (lease, why) => end(lease, why, true),
  };
}
