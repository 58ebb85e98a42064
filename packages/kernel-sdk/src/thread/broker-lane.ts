import type { MessagePort } from 'node:worker_threads';
import type { BusConnection } from '@grace/bus/client';
import type { BrokerBirth, ToThread } from '@grace/contracts';
import type { BrokerAccess } from '../kernel.ts';

type Client = Parameters<Parameters<BrokerAccess['onClient']>[0]>[0];

/**
 * What the kernel that runs the broker hears from its cell: clients to wire, which wait until it listens, and journal records to publish,
 * which the supervisor sends only to a running kernel.
 */
export function createBrokerLane(
  birth: BrokerBirth,
  bus: BusConnection,
): BrokerAccess & { receive(message: ToThread): void } {
  const early: Client[] = [];
  let onClient: ((client: Client) => void) | undefined;
  let onFeed: ((records: unknown[], missed: number) => void) | undefined;
  return {
    ...birth,
    onClient(handler) {
      onClient = handler;
      for (const client of early.splice(0)) handler(client);
    },
    onFeed(handler) {
      onFeed = handler;
    },
    connectSelf: (port: MessagePort) => bus.attach(port),
    receive(message) {
      if (message.t === 'bus-client') {
        if (onClient) onClient(message);
        else early.push(message);
      } else if (message.t === 'feed') onFeed?.(message.records, message.missed);
    },
  };
}
