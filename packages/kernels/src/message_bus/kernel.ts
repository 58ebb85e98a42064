import { MessageChannel } from 'node:worker_threads';
import { createBroker } from '@grace/bus/broker';
import { createBusClient } from '@grace/bus/client';
import { type AclDocument, GraceError } from '@grace/contracts';
import { defineKernel, is, readInput } from '@grace/kernel-sdk';

export default defineKernel({
  id: 'message_bus',
  async start(ctx) {
    const access = ctx.broker;
    if (!access) throw new GraceError('KERNEL_START', 'message_bus was started without the birth certificate of a broker');
    const broker = createBroker({
      acl: access.acl as AclDocument,
      mute: access.mute,
      maxPayloadBytes: access.maxPayloadBytes,
      onEvent: (event) => {
        if (event.type === 'denied') ctx.supervisor.report({ name: 'bus:denied', data: { principal: event.principal, subject: event.subject, count: event.count, sinceMs: event.sinceMs } });
        else if (event.type === 'muted') ctx.supervisor.report({ name: 'bus:muted', data: { principal: event.principal, periodMs: event.periodMs, denied: event.denied } });
        else if (event.type === 'unmuted') ctx.supervisor.report({ name: 'bus:unmuted', data: { principal: event.principal } });
      },
    });
    const inner = (principal: string, kernel: boolean) => {
      const { port1, port2 } = new MessageChannel();
      broker.attach(port2, { principal, incarnation: ctx.incarnation, messagesPerSecond: 1e6, kernel });
      return port1;
    };
    access.connectSelf(inner(ctx.id, true));
    access.onClient((client) => broker.attach(client.port, { ...client, kernel: true }));
    const supervisor = createBusClient();
    supervisor.attach(inner('supervisor', false));
    access.onFeed((records) => {
      for (const record of records as { name: string }[]) {
        supervisor.publish(`system.events.${record.name.replace(':', '.')}`, record).catch((error) => ctx.log.warn('feed not published', { error: String(error) }));
      }
    });
    const prober = createBusClient();
    prober.attach(inner('bus_probe', false));
    await broker.listen(access.socket, access.key);
    return {
      verbs: {
        stats: () => broker.statistics(),
        mute: (input) => {
          const { principal, periodMs } = readInput(input, { principal: is.string(), periodMs: is.number({ min: 1 }) });
          broker.mute(principal, periodMs);
          return { principal, periodMs };
        },
        unmute: (input) => ({ unmuted: broker.unmute(readInput(input, { principal: is.string() }).principal) }),
      },
      async probe() {
        return { principals: Object.keys((access.acl as AclDocument).principals).length };
      },
      async drain() {
        await supervisor.close();
        await prober.close();
        await broker.close();
      },
    };
  },
});
