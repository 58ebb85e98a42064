import { type FaultLease, systemClock } from '@grace/contracts';
import type { ActorEnd } from '../actors/protocol.ts';
import { startActor } from './actor-process.ts';
import { type Injection, type InjectionSite, RENEWALS_PER_TTL } from './injection.ts';
import { removeLease, writeLease } from './lease-file.ts';
import { processExists } from './process-table.ts';

const START_DEADLINE_MS = 5000;
const STOP_DEADLINE_MS = 1500;

const WHY = {
  done: 'expired',
  requested: 'requested',
  lapsed: 'lapsed',
  expired: 'expired',
  'parent gone': 'lapsed',
} as const satisfies Record<ActorEnd, string>;

/**
 * Injects a fault that acts from outside the system, in a process of the runner that holds its own lease.
 * @throws GraceError `DEADLINE` when the process does not come up, or what the supervisor answers to `bus.token`
 */
export async function injectActor(site: InjectionSite, lease: FaultLease): Promise<Injection> {
  const { control, recorder, home, run, actorEntry } = site;
  const bus = lease.kind === 'acl_spam' ? await control.request('bus.token', { principal: lease.target }) : null;
  const actor = await startActor(actorEntry, START_DEADLINE_MS);
  // The actor exists but does nothing before `begin`: the lease is on disk and in the journal first.
  writeLease(home, { lease, run, pid: actor.pid });
  const { correlation } = lease;
  try {
    await recorder.append({ name: 'fault:lease', correlation, data: lease });
    await recorder.append({
      name: 'fault:inject',
      correlation,
      data: { lease: lease.id, target: lease.target, kind: lease.kind },
    });
  } catch (error) {
    await actor.stop(0);
    removeLease(home, lease.id);
    throw error;
  }
  const orderedMono = systemClock.monoMs();
  actor.begin({ lease, bus });
  let isOver = false;
  let why: ActorEnd | null = null;
  actor.ended.then(
    (end) => {
      isOver = true;
      why = end.why;
    },
    () => {
      isOver = true;
    },
  );
  const renewal = setInterval(() => actor.renew(), lease.ttlMs / RENEWALS_PER_TTL);
  return {
    lease,
    orderedMono,
    pid: actor.pid,
    actingMono: () => actor.actingMono,
    counts: () => actor.counts,
    isOver: () => isOver,
    async undo() {
      clearInterval(renewal);
      const verified = (await actor.stop(STOP_DEADLINE_MS)) && !processExists(actor.pid);
      if (verified) removeLease(home, lease.id);
      await recorder.append({
        name: 'fault:undo',
        correlation,
        data: { lease: lease.id, why: why === null ? 'requested' : WHY[why], verified },
      });
      return { verified };
    },
  };
}
