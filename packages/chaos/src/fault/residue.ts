import { type FaultLease, GraceError } from '@grace/contracts';
import type { ControlClient } from '@grace/control';
import { FLOOD_CONSUMER } from '../actors/protocol.ts';
import { takeBack } from '../damage/record-damage.ts';
import { keepFolder } from './lease-file.ts';

const ANSWER_MS = 3000;

/**
 * Takes away what an actor leaves when it is killed before it could: a durable consumer that nobody will ever serve, damage that nobody has
 * repaired. Does nothing where there is nothing.
 * @returns whether nothing is left; a broker that cannot be asked counts as no
 */
export async function clearResidue(control: ControlClient, home: string, lease: FaultLease): Promise<boolean> {
  switch (lease.kind) {
    case 'topic_flood':
      return forgetConsumer(control, `${lease.params['consumer']}/${FLOOD_CONSUMER}`);
    case 'log_damage':
      return takeBack(keepFolder(home, lease.id));
    default:
      return true;
  }
}

async function forgetConsumer(control: ControlClient, consumer: string): Promise<boolean> {
  const call = (verb: string, input: unknown) =>
    control.request('call', { kernel: 'message_bus', verb, input, from: 'cli' }, ANSWER_MS);
  try {
    const known = (await call('consumers', {})) as { name: string }[];
    if (known.some(({ name }) => name === consumer)) await call('forget', { consumer });
    return true;
  } catch (error) {
    // Somebody else was faster, or this broker keeps nothing that anybody could leave behind.
    return error instanceof GraceError && (error.code === 'NOT_FOUND' || error.code === 'UNKNOWN_VERB');
  }
}
