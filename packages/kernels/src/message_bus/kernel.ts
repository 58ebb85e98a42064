import { type BrokerEvent, createBroker } from '@grace/bus/broker';
import { type AclDocument, type AnyDraft, GraceError } from '@grace/contracts';
import { defineKernel } from '@grace/kernel-sdk';
import { createFeed } from './feed.ts';
import { ownClient, ownPort, PROBE, SUPERVISOR, withInternal } from './principals.ts';
import { createProbe } from './probe.ts';
import { activity, summary, withoutProbe } from './statistics.ts';
import { createVerbs } from './verbs.ts';

const STATISTICS_EVERY_MS = 5000;

/** Runs the broker in its thread: kernels of the same cell come in by ports, all others by the socket. */
export default defineKernel({
  id: 'message_bus',
  async start(ctx) {
    const access = ctx.broker;
    if (!access)
      throw new GraceError('KERNEL_START', 'message_bus was started without the access that makes it the broker');
    const broker = createBroker({
      acl: withInternal(access.acl as AclDocument),
      mute: access.mute,
      maxPayloadBytes: access.maxPayloadBytes,
      clock: ctx.clock,
      onEvent: (event) => {
        const draft = toDraft(event);
        if (draft) ctx.supervisor.report(draft);
        else ctx.log.debug(`client ${event.type}`, { ...event });
      },
    });
    access.connectSelf(ownPort(broker, ctx.id, ctx.incarnation, true));
    const supervisor = ownClient(broker, SUPERVISOR, ctx.incarnation);
    const prober = ownClient(broker, PROBE, ctx.incarnation);
    const drain = async (): Promise<void> => {
      await Promise.all([supervisor.close(), prober.close()]);
      await broker.close();
    };
    await broker.listen(access.socket, access.key).catch(async (error: unknown) => {
      await drain();
      throw error;
    });
    access.onClient(({ port, principal, incarnation, messagesPerSecond }) =>
      broker.attach(port, { principal, incarnation, messagesPerSecond, kernel: true }),
    );
    access.onFeed(createFeed(supervisor, ctx.log, ctx.clock.monoMs));

    let reported = activity(broker.statistics());
    ctx.every(STATISTICS_EVERY_MS, () => {
      const statistics = withoutProbe(broker.statistics());
      const now = activity(statistics);
      if (now === reported) return;
      reported = now;
      ctx.supervisor.report({ name: 'bus:statistics', data: summary(statistics) });
    });

    const probe = createProbe(prober, ctx.clock);
    const principals = Object.keys((access.acl as AclDocument).principals).length;
    return {
      verbs: createVerbs(broker, ctx.bus, ctx.clock),
      probe: async () => ({ ...(await probe()), principals }),
      drain,
    };
  },
});

/** What of the broker's events belongs into the journal. That the probe is refused is what it is for. */
function toDraft(event: BrokerEvent): AnyDraft | undefined {
  if (event.principal === PROBE) return undefined;
  switch (event.type) {
    case 'denied': {
      const { type: _, ...data } = event;
      return { name: 'bus:denied', data };
    }
    case 'muted': {
      const { type: _, ...data } = event;
      return { name: 'bus:muted', data };
    }
    case 'unmuted':
      return { name: 'bus:unmuted', data: { principal: event.principal } };
    case 'connected':
    case 'disconnected':
      return undefined;
  }
}
