import { type FaultLease, GraceError, systemClock } from '@grace/contracts';
import type { ControlClient } from '@grace/control';
import { type Injection, type InjectionSite, RENEWALS_PER_TTL } from './injection.ts';
import { removeLease, writeLease } from './lease-file.ts';

/** Faults that end their own target, so that the answer to the order may be that the target is gone. */
const DEADLY = new Set(['uncaught_throw', 'process_exit', 'segmentation_fault', 'huge_allocation', 'torn_write']);
const TARGET_GONE = new Set(['KERNEL_GONE', 'CELL_GONE', 'CONNECTION_CLOSED', 'DEADLINE']);

/**
 * Injects a fault that a kernel thread or a cell holds. The supervisor journals injection and undo; the target undoes it when the
 * runner stops renewing.
 * @throws GraceError `NOT_ARMED`, `NO_PERMIT`, `FAULT_TARGET`
 */
export async function injectHeld(site: InjectionSite, lease: FaultLease): Promise<Injection> {
  const { control, recorder, home, run } = site;
  writeLease(home, { lease, run, pid: null });
  await recorder.append({ name: 'fault:lease', correlation: lease.correlation, data: lease });
  const orderedMono = systemClock.monoMs();
  let actingMono: number | null;
  try {
    actingMono = (await control.request('fault.apply', { lease }, 3000)).appliedMono;
  } catch (error) {
    const mayHaveActed = error instanceof GraceError && DEADLY.has(lease.kind) && TARGET_GONE.has(error.code);
    if (!mayHaveActed) {
      removeLease(home, lease.id);
      throw error;
    }
    actingMono = null;
  }
  let isActive = true;
  const renewal = setInterval(() => {
    control.request('fault.renew', { id: lease.id }, lease.ttlMs).then(
      ({ active }) => {
        isActive = active;
        if (!active) clearInterval(renewal);
      },
      (error) => {
        if (error instanceof GraceError && error.code === 'FAULT_TARGET') isActive = false;
      },
    );
  }, lease.ttlMs / RENEWALS_PER_TTL);
  return {
    lease,
    orderedMono,
    pid: null,
    actingMono: () => actingMono,
    counts: () => ({}),
    damage: () => null,
    isOver: () => !isActive || systemClock.monoMs() >= orderedMono + lease.durationMs,
    async undo() {
      clearInterval(renewal);
      await control.request('fault.undo', { id: lease.id }, 3000).catch(() => {});
      const verified = !(await isHeld(control, lease.id));
      if (verified) removeLease(home, lease.id);
      return { verified };
    },
  };
}

/** Whether any target still holds the lease; a supervisor that cannot say counts as yes. */
async function isHeld(control: ControlClient, id: string): Promise<boolean> {
  try {
    const leases = await control.request('fault.list', {}, 3000);
    return leases.some((lease) => lease.id === id);
  } catch {
    return true;
  }
}
