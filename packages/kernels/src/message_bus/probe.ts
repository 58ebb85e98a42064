import type { BusConnection } from '@grace/bus/client';
import { type Clock, GraceError } from '@grace/contracts';
import { PROBE_ALLOWED, PROBE_DENIED } from './principals.ts';

const DEADLINE_MS = 800;

/** Does the bus's job once: a message goes out and comes back, and one that must be denied is refused for that reason. */
export function createProbe(client: BusConnection, clock: Clock): () => Promise<Record<string, unknown>> {
  return async () => {
    const startedMono = clock.monoMs();
    await roundTrip(client);
    const roundTripMs = Math.round((clock.monoMs() - startedMono) * 1000) / 1000;
    await refusal(client);
    return { roundTripMs, denied: 'BUS_DENIED' };
  };
}

async function roundTrip(client: BusConnection): Promise<void> {
  const sent = { probe: crypto.randomUUID() };
  const subscription = await client.subscribe(PROBE_ALLOWED, (message) => message.reply(message.payload), {
    deadlineMs: DEADLINE_MS,
  });
  try {
    const back = await client.request(PROBE_ALLOWED, sent, { deadlineMs: DEADLINE_MS, priority: 'control' });
    if ((back as Partial<typeof sent> | null)?.probe !== sent.probe) {
      throw new GraceError('INTERNAL', 'what came back over the bus is not what was sent');
    }
  } finally {
    await subscription.unsubscribe();
  }
}

async function refusal(client: BusConnection): Promise<void> {
  const outcome = await client.publish(PROBE_DENIED, null, { deadlineMs: DEADLINE_MS, priority: 'control' }).then(
    () => 'accepted',
    (error: unknown) => (error instanceof GraceError ? error.code : String(error)),
  );
  if (outcome === 'BUS_DENIED') return;
  throw new GraceError('INTERNAL', `a message that must be refused with BUS_DENIED was answered with ${outcome}`);
}
