import type { BusConnection } from '@grace/bus/client';
import { createBusClient } from '@grace/bus/client';
import type { ControlClient } from '@grace/control';
import type { Session } from '../session.ts';
import { withSystem } from './connect.ts';

/**
 * Does something on the bus as `principal`, with the control connection still open, and hangs up both.
 * @throws GraceError `NOT_RUNNING`, `FORBIDDEN` when the access rules know no such principal
 */
export async function withBus<T>(
  session: Pick<Session, 'home'>,
  principal: string,
  work: (bus: BusConnection, client: ControlClient) => Promise<T>,
): Promise<T> {
  return await withSystem(session, async (client) => {
    const { socket, token } = await client.request('bus.token', { principal });
    const bus = createBusClient();
    try {
      bus.dial(socket, token);
      return await work(bus, client);
    } finally {
      await bus.close();
    }
  });
}
