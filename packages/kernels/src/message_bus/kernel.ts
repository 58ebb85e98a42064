import { createBroker } from '@grace/bus/broker';
import { type AclDocument, GraceError } from '@grace/contracts';
import { defineKernel } from '@grace/kernel-sdk';
import { Backlogs } from './backlog.ts';
import { toDraft } from './drafts.ts';
import { readDurable } from './durable.ts';
import { createFeed } from './feed.ts';
import { AccessKeeper } from './kept-access.ts';
import { ownClient, ownPort, PROBE, SUPERVISOR, withInternal } from './principals.ts';
import { createProbe } from './probe.ts';
import { activity, summary, withoutProbe } from './statistics.ts';
import { createVerbs } from './verbs.ts';

const STATISTICS_EVERY_MS = 5000;
const BACKLOG_EVERY_MS = 1000;

/** Runs the broker in its thread: kernels of the same cell come in by ports, all others by the socket. */
export default defineKernel({
  id: 'message_bus',
  async start(ctx) {
    const access = ctx.broker;
    if (!access)
      throw new GraceError('KERNEL_START', 'message_bus was started without the access that makes it the broker');
    const durable = readDurable(ctx.config, ctx.stateDir);
    const keeper = new AccessKeeper(ctx.stateDir, ctx.clock, ctx.log);
    let acl = access.acl as AclDocument;
    const broker = createBroker({
      acl: withInternal(acl),
      mute: access.mute,
      maxPayloadBytes: access.maxPayloadBytes,
      kept: await keeper.load(),
      ...(durable && { durable }),
      clock: ctx.clock,
      onEvent: (event) => {
        const draft = toDraft(event, ctx.clock);
        if (event.type === 'muted' || event.type === 'unmuted' || event.type === 'revoked') void keeper.changed();
        if (draft) ctx.supervisor.report(draft);
        else ctx.log.debug(`client ${event.type}`, { ...event });
      },
    });
    keeper.follow(() => broker.kept());
    access.connectSelf(ownPort(broker, ctx.id, ctx.incarnation, true));
    const supervisor = ownClient(broker, SUPERVISOR, ctx.incarnation);
    const prober = ownClient(broker, PROBE, ctx.incarnation);
    const drain = async (): Promise<void> => {
      await Promise.all([supervisor.close(), prober.close()]);
      await broker.close();
      await keeper.changed();
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

    const backlogs = new Backlogs();
    ctx.every(BACKLOG_EVERY_MS, () => {
      for (const data of backlogs.look(broker.consumers())) ctx.supervisor.report({ name: 'bus:backlog', data });
    });

    const probe = createProbe(prober, ctx.clock);
    const rules = {
      principals: () => Object.keys(acl.principals),
      replace: (next: AclDocument): number => {
        const ended = broker.setAcl(withInternal(next));
        acl = next;
        return ended;
      },
    };
    return {
      verbs: createVerbs({
        broker,
        bus: ctx.bus,
        clock: ctx.clock,
        rules,
        kept: () => keeper.changed(),
        report: (draft) => ctx.supervisor.report(draft),
      }),
      probe: async () => ({ ...(await probe()), principals: rules.principals().length }),
      drain,
    };
  },
});
