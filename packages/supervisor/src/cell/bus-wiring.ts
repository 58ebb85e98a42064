import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MessageChannel } from 'node:worker_threads';
import {
  type AclDocument,
  type BrokerBirth,
  type BusWire,
  HOME,
  type KernelOrder,
  type SystemPlan,
} from '@grace/contracts';
import type { ThreadHandle } from './thread-handle.ts';

export const BROKER = 'message_bus';

/**
 * Wires kernels to the broker: by a port when both live in this cell, else by the broker's socket with the kernel's token. A new broker
 * means new wires; socket clients dial again by themselves.
 */
export interface BusWiring {
  /** The wire a new thread is born with; null when it gets one once the broker is here. */
  birthWire(order: KernelOrder): BusWire | null;
  /** `acl`: the access rules in force, where they are not the plan's. */
  brokerBirth(acl: AclDocument | undefined): BrokerBirth;
  /** Called when a thread was made. */
  joined(thread: ThreadHandle): void;
  /** The broker is to be found in this cell from now on. */
  moved(brokerCell: string): void;
}

export function createBusWiring(plan: SystemPlan, cell: string, threads: () => Iterable<ThreadHandle>): BusWiring {
  const socket = join(plan.home, HOME.busSocket);
  let brokerCell = plan.kernels.find((kernel) => kernel.id === BROKER)?.cell ?? '';

  const find = (id: string): ThreadHandle | undefined => {
    for (const thread of threads()) if (thread.kernel === id) return thread;
    return undefined;
  };

  const wireByPort = (broker: ThreadHandle, client: ThreadHandle): void => {
    const { port1, port2 } = new MessageChannel();
    broker.send(
      {
        t: 'bus-client',
        port: port2,
        principal: client.kernel,
        incarnation: client.incarnation,
        messagesPerSecond: client.order.manifest.limits.messagesPerSecond,
      },
      [port2],
    );
    client.send({ t: 'bus', wire: { kind: 'port', port: port1 } }, [port1]);
  };

  return {
    birthWire(order) {
      brokerCell = order.brokerCell;
      if (order.manifest.id === BROKER || brokerCell === cell) return null;
      return { kind: 'socket', path: socket, token: order.busToken };
    },
    brokerBirth(acl) {
      const { muteThreshold, muteWindowMs, mutePeriodMs, mutePeriodMaxMs, maxPayloadBytes } = plan.settings;
      return {
        socket,
        key: new Uint8Array(readFileSync(join(plan.home, HOME.busKey))),
        acl: acl ?? plan.acl,
        mute: {
          enabled: plan.safeguards.mute,
          threshold: muteThreshold,
          windowMs: muteWindowMs,
          periodMs: mutePeriodMs,
          periodMaxMs: mutePeriodMaxMs,
        },
        maxPayloadBytes,
      };
    },
    joined(thread) {
      if (thread.kernel === BROKER) {
        for (const other of threads()) if (other !== thread) wireByPort(thread, other);
        return;
      }
      const broker = find(BROKER);
      if (broker && brokerCell === cell) wireByPort(broker, thread);
    },
    moved(to) {
      if (to === brokerCell) return;
      brokerCell = to;
      if (to === cell) return;
      for (const thread of threads()) {
        if (thread.kernel !== BROKER)
          thread.send({ t: 'bus', wire: { kind: 'socket', path: socket, token: thread.order.busToken } });
      }
    },
  };
}
