import type { EventMap } from '@grace/contracts';
import type { ControlClient } from '@grace/control';
import { listLeases, removeLease } from './fault/lease-file.ts';
import { processExists } from './fault/process-table.ts';
import { clearResidue } from './fault/residue.ts';

/**
 * Makes sure that nothing of the laboratory is left: no fault held by a target, no process of an actor, no lease on disk. What could not
 * be ended or could not be asked is named, never assumed.
 */
export async function cleanUp(
  control: ControlClient,
  home: string,
  run: string,
): Promise<EventMap['run:end']['cleanup']> {
  const left: string[] = [];
  const own = listLeases(home).filter(({ id }) => id.startsWith(`${run}.`));
  try {
    for (const { id, record } of own) {
      await control.request('fault.undo', { id });
      if (record && !(await clearResidue(control, home, record.lease)))
        left.push(`what ${record.lease.kind} left on ${record.lease.target}`);
    }
    const held = (await control.request('fault.list', {})).filter(({ id }) => id.startsWith(`${run}.`));
    left.push(...held.map(({ kind, target }) => `fault ${kind} on ${target}`));
  } catch (error) {
    left.push(`unknown: the supervisor could not say which faults are held (${(error as Error).message})`);
  }
  for (const { id, record } of own) {
    if (record?.pid && processExists(record.pid)) left.push(`process ${record.pid} of ${record.lease.kind}`);
    else if (left.length === 0) removeLease(home, id);
  }
  return { ok: left.length === 0, left };
}

/**
 * Ends what an earlier run left when it was killed. Targets and actors end their faults by themselves when nobody renews them, so this
 * only asks again and tidies the disk.
 * @returns what was found, as sentences
 */
export async function sweepLeases(control: ControlClient, home: string): Promise<string[]> {
  const found: string[] = [];
  for (const { id, record } of listLeases(home)) {
    await control.request('fault.undo', { id });
    const acts = record?.pid ? processExists(record.pid) : false;
    if (record && !acts) await clearResidue(control, home, record.lease);
    found.push(
      `a lease of an earlier run was found: ${record?.lease.kind ?? 'unreadable'} (${id})${acts ? `; process ${record!.pid} is still there` : ''}`,
    );
    if (!acts) removeLease(home, id);
  }
  return found;
}
