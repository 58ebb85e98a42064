/**
 * The process of an actor: reads its order from standard input, acts, says what it did, ends. It ends by itself when the runner is gone
 * (standard input closes), when its lease is not renewed, and when its time is over. Its host twin is fault/actor-process.ts.
 */
import { createInterface } from 'node:readline';
import { GraceError, systemClock, toWireError } from '@grace/contracts';
import { spamAcl } from './acl-spam.ts';
import { hogCpu } from './cpu-hog.ts';
import { holdLease, type LeaseHold } from './lease-hold.ts';
import { damageLog } from './log-damage.ts';
import { ACTOR_FAILED, type ActorCounts, type ActorOrder, type FromActor, type ToActor } from './protocol.ts';
import { floodTopic } from './topic-flood.ts';

/** Without an order in this time nobody is going to give one, ms. */
const BEGIN_DEADLINE_MS = 5000;
/** From the end of the lease to the end of the process at the latest, ms; a consumer leaves the bus first, and what it owes with it. */
const GRACE_MS = 1000;
const CONSUMER_GRACE_MS = 5000;

let hold: LeaseHold | null = null;

// When nobody reads any more the actor ends as if its parent were gone, and no write may throw.
process.stdout.on('error', () => leave());
const say = (message: FromActor): void => void process.stdout.write(`${JSON.stringify(message)}\n`);
const idle = setTimeout(() => process.exit(0), BEGIN_DEADLINE_MS);

const lines = createInterface({ input: process.stdin });
lines.on('line', (line) => {
  const message = JSON.parse(line) as ToActor;
  switch (message.t) {
    case 'begin':
      clearTimeout(idle);
      void begin(message.order);
      return;
    case 'renew':
      hold?.renew();
      return;
    case 'stop':
      if (hold) hold.end('requested');
      else process.exit(0);
      return;
  }
});
lines.on('close', leave);
say({ t: 'ready', pid: process.pid });

function leave(): void {
  if (!hold) process.exit(0);
  hold.end('parent gone');
}

async function begin(order: ActorOrder): Promise<void> {
  const own = holdLease(order.lease);
  hold = own;
  const graceMs = order.consumer ? CONSUMER_GRACE_MS : GRACE_MS;
  own.signal.addEventListener('abort', () => setTimeout(() => process.exit(0), graceMs).unref());
  try {
    const counts = await act(order, own);
    say({ t: 'end', why: own.settle(), atMono: systemClock.monoMs(), counts });
    process.exitCode = 0;
  } catch (error) {
    const { code, message } = toWireError(error);
    say({ t: 'failed', code, message });
    own.end('done');
    process.exitCode = ACTOR_FAILED;
  }
  lines.close();
  process.stdin.destroy();
}

function act(order: ActorOrder, own: LeaseHold): Promise<ActorCounts> {
  const report = {
    acting: (atMono: number) => say({ t: 'acting', atMono }),
    count: (counts: ActorCounts) => say({ t: 'count', atMono: systemClock.monoMs(), counts }),
  };
  const { kind, params } = order.lease;
  if (kind === 'cpu_hog') return hogCpu(own, params, report);
  if (kind === 'acl_spam' && order.bus) return spamAcl(own, params, order.bus, report);
  if (kind === 'topic_flood' && order.bus && order.consumer)
    return floodTopic(own, params, { publisher: order.bus, consumer: order.consumer }, report);
  if (kind === 'log_damage' && order.ledger) return damageLog(own, params, order.ledger, report);
  throw new GraceError('FAULT_UNKNOWN', `an actor does not know ${kind}`);
}
