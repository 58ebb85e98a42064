import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { Broker } from '@grace/bus/broker';
import { type BusConnection, createBusClient } from '@grace/bus/client';
import type { AclDocument, AclRules } from '@grace/contracts';

/** Passes the journal on for the supervisor, which holds no bus client. */
export const SUPERVISOR = 'supervisor';
/** Says and is refused what the functional probe sends. */
export const PROBE = 'bus_probe';
/** What the probe says and hears: one subject that must come through, one that must not. */
export const PROBE_ALLOWED = 'kernel.message_bus.probe.allowed';
export const PROBE_DENIED = 'kernel.message_bus.probe.denied';

/** Own clients of the broker are not slowed down: one wire carries the whole journal. */
const MESSAGES_PER_SECOND = 1_000_000;

const nothing = { allow: [], deny: [] };

const INTERNAL: Readonly<Record<string, AclRules>> = {
  [SUPERVISOR]: { publish: { allow: ['system.events.>'], deny: [] }, subscribe: nothing },
  [PROBE]: {
    publish: { allow: ['kernel.message_bus.probe.>'], deny: [PROBE_DENIED] },
    subscribe: { allow: ['kernel.message_bus.probe.>'], deny: [] },
  },
};

export function isInternal(principal: string): boolean {
  return Object.hasOwn(INTERNAL, principal) || principal === 'message_bus';
}

/** The access rules with those of the kernel's own principals, where the file does not have them. */
export function withInternal(acl: AclDocument): AclDocument {
  return { ...acl, principals: { ...INTERNAL, ...acl.principals } };
}

/** A wire into the broker from its own thread. */
export function ownPort(broker: Broker, principal: string, incarnation: number, kernel: boolean): MessagePort {
  const { port1, port2 } = new MessageChannel();
  broker.attach(port2, { principal, incarnation, messagesPerSecond: MESSAGES_PER_SECOND, kernel });
  return port1;
}

export function ownClient(broker: Broker, principal: string, incarnation: number): BusConnection {
  const client = createBusClient();
  client.attach(ownPort(broker, principal, incarnation, false));
  return client;
}
