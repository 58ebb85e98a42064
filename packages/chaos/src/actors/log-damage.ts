import { GraceError, systemClock } from '@grace/contracts';
import { bytesThere, DAMAGES, type DamageRecord, damageRecord, takeBack } from '../damage/record-damage.ts';
import { pause } from '../observe/wait.ts';
import type { LeaseHold } from './lease-hold.ts';
import type { ActorCounts, LedgerPlace } from './protocol.ts';

/** How often it looks whether the damage is still there, ms. */
const LOOK_EVERY_MS = 50;
/** How long a record may take to grow large enough, ms. */
const GROW_DEADLINE_MS = 3000;

/**
 * Damages the audit record from outside, and waits until the damage is gone. What nobody has repaired when the lease ends is put back.
 * @param params `damage`: `flip` or `remove`
 * @throws GraceError `BAD_INPUT`, `FAULT_TARGET` when there is no record large enough
 */
export async function damageLog(
  hold: LeaseHold,
  params: Record<string, unknown>,
  { folder, keep }: LedgerPlace,
  report: { acting: (atMono: number) => void; count: (counts: ActorCounts) => void },
): Promise<ActorCounts> {
  const damage = DAMAGES.find((one) => one === params['damage']);
  if (damage === undefined) throw new GraceError('BAD_INPUT', `params.damage: expected ${DAMAGES.join(' or ')}`);
  const record = await whenGrown(hold, () => damageRecord(folder, damage, keep));
  report.acting(systemClock.monoMs());
  const isThere = (): boolean => bytesThere(record) === record.after;
  const counts = (): ActorCounts => ({ ...place(record), stillThere: isThere() ? 1 : 0 });
  report.count(counts());
  while (!hold.signal.aborted && isThere()) await pause(LOOK_EVERY_MS, hold.signal);
  const atEnd = counts();
  const isGone = takeBack(keep);
  return { ...atEnd, takenBack: atEnd['stillThere'] === 1 && isGone ? 1 : 0 };
}

function place({ seq, offset, originalBytes, damagedBytes }: DamageRecord): ActorCounts {
  return { seq, offset, originalBytes, damagedBytes };
}

/** A record that has just begun anew has no middle yet, and one that grows while it is looked at is looked at again. */
async function whenGrown<T>(hold: LeaseHold, attempt: () => T): Promise<T> {
  const end = systemClock.monoMs() + GROW_DEADLINE_MS;
  for (;;) {
    try {
      return attempt();
    } catch (error) {
      const mayPass = error instanceof GraceError && (error.code === 'FAULT_TARGET' || error.code === 'CONFLICT');
      if (!mayPass || systemClock.monoMs() >= end || hold.signal.aborted) throw error;
      await pause(LOOK_EVERY_MS, hold.signal);
    }
  }
}
