import { type FaultLease, systemClock } from '@grace/contracts';
import type { ActorEnd, ActorOrder } from '../actors/protocol.ts';
import { type DamageRecord, readDamage } from '../damage/record-damage.ts';
import { startActor } from './actor-process.ts';
import { type Injection, type InjectionSite, RENEWALS_PER_TTL } from './injection.ts';
import { keepFolder, removeLease, writeLease } from './lease-file.ts';
import { ledgerFolder } from './ledger-folder.ts';
import { processExists } from './process-table.ts';
import { clearResidue } from './residue.ts';

const START_DEADLINE_MS = 20_000;
const STOP_DEADLINE_MS = 1500;
/** A consumer takes itself off the bus before it goes. */
const CONSUMER_STOP_DEADLINE_MS = 6000;

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
  const needs = await needsOf(site, lease);
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
  actor.begin({ lease, ...needs });
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
  let damage: DamageRecord | null = null;
  const renewal = setInterval(() => actor.renew(), lease.ttlMs / RENEWALS_PER_TTL);
  return {
    lease,
    orderedMono,
    pid: actor.pid,
    actingMono: () => actor.actingMono,
    counts: () => actor.counts,
    isOver: () => isOver,
    damage: () => {
      if (needs.ledger) damage ??= readDamage(needs.ledger.keep);
      return damage;
    },
    async undo() {
      clearInterval(renewal);
      const isGone = await actor.stop(needs.consumer ? CONSUMER_STOP_DEADLINE_MS : STOP_DEADLINE_MS);
      const verified = isGone && !processExists(actor.pid) && (await clearResidue(control, home, lease));
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

/** What the actor of this fault must be given beside its lease. */
async function needsOf({ control, home }: InjectionSite, lease: FaultLease): Promise<Omit<ActorOrder, 'lease'>> {
  const access = (principal: string) => control.request('bus.token', { principal });
  const nothing = { bus: null, consumer: null, ledger: null };
  switch (lease.kind) {
    case 'acl_spam':
      return { ...nothing, bus: await access(lease.target) };
    case 'topic_flood':
      return { ...nothing, bus: await access(lease.target), consumer: await access(String(lease.params['consumer'])) };
    case 'log_damage':
      return { ...nothing, ledger: { folder: ledgerFolder(home), keep: keepFolder(home, lease.id) } };
    default:
      return nothing;
  }
}
