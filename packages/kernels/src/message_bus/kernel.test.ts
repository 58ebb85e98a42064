import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { createBusClient } from '@grace/bus/client';
import type { AclDocument, AnyRecord, BusStatistics } from '@grace/contracts';
import { defineKernel } from '@grace/kernel-sdk';
import { poll, type RigOptions, rigKernels } from '@grace/testkit';
import messageBus from './kernel.ts';
import { activity } from './statistics.ts';

const none = { allow: [], deny: [] };
const ACL: AclDocument = {
  kernels: { subscribe: { allow: ['kernel.{self}.>'], deny: [] }, publish: none },
  principals: {
    listener: { subscribe: { allow: ['system.events.>'], deny: [] }, publish: none },
    asker: { subscribe: none, publish: { allow: ['kernel.*.call.*'], deny: [] } },
    message_bus: { subscribe: none, publish: { allow: ['telemetry.>'], deny: [] } },
  },
};

const record = (name: string): AnyRecord =>
  ({ seq: 1, name, wallMs: 1, monoMs: 1, correlation: 'c1', data: { reason: 'test' } }) as AnyRecord;

async function rig(t: { after(work: () => Promise<void>): void }, options: RigOptions = { acl: ACL }) {
  const made = await rigKernels([messageBus], options);
  t.after(() => made.close());
  return made;
}

test('the probe sends a message through the broker and is refused another, and neither counts as a violation', async (t) => {
  const bus = await rig(t);
  for (let i = 0; i < 50; i++) assert.equal((await bus.probe('message_bus'))['denied'], 'BUS_DENIED');
  const statistics = (await bus.call('message_bus', 'stats')) as BusStatistics;
  assert.equal(statistics.denied, 0);
  assert.equal(statistics.families['kernel']!.denied, 0);
  assert.deepEqual(statistics.muted, []);
  assert.deepEqual(bus.reports, []);
});

test('the probe fails when nothing comes through, and when what must be denied is not', async (t) => {
  const probe = (publish: { allow: string[]; deny: string[] }, subscribe = ['kernel.message_bus.>']): AclDocument => ({
    ...ACL,
    principals: { ...ACL.principals, bus_probe: { publish, subscribe: { allow: subscribe, deny: [] } } },
  });
  const cases: [AclDocument, RegExp][] = [
    [probe({ allow: [], deny: [] }), /may not publish/],
    [probe({ allow: ['>'], deny: [] }), /answered with accepted/],
    [probe({ allow: ['>'], deny: [] }, []), /may not subscribe/],
  ];
  for (const [acl, message] of cases) {
    const bus = await rig(t, { acl });
    await assert.rejects(bus.probe('message_bus'), message);
  }
});

test('journal records come out as system events, from the supervisor, in their order', async (t) => {
  const bus = await rig(t);
  const got: string[] = [];
  await bus.bus('listener').subscribe('system.events.>', ({ subject, from, correlation, payload }) => {
    got.push(`${subject} ${from} ${correlation} ${(payload as AnyRecord).name}`);
  });
  await bus.feed(record('system:stop'));
  await bus.feed(record('kernel:state'));
  await poll('both arrived', () => got.length === 2);
  assert.deepEqual(got, [
    'system.events.system.stop supervisor c1 system:stop',
    'system.events.kernel.state supervisor c1 kernel:state',
  ]);
});

test('verbs are answered over the bus to kernels by port and to others by socket', async (t) => {
  const bus = await rig(t);
  const byPort = bus.bus('asker');
  const bySocket = createBusClient();
  t.after(() => bySocket.close());
  const body = Buffer.from(
    JSON.stringify({ principal: 'asker', incarnation: 1, messagesPerSecond: 1000, kernel: false }),
  ).toString('base64url');
  const signature = createHmac('sha256', new Uint8Array(32).fill(7)).update(body).digest('base64url');
  bySocket.dial(`${bus.home}/bus.sock`, `${body}.${signature}`);
  for (const client of [byPort, bySocket]) {
    const statistics = (await client.request('kernel.message_bus.call.stats', {})) as BusStatistics;
    assert.ok(statistics.clients.some(({ principal }) => principal === 'asker'));
  }
});

test('who is denied too often is reported and muted, and can be unmuted', async (t) => {
  const bus = await rig(t);
  const client = bus.bus('offender');
  await Promise.all(Array.from({ length: 300 }, () => client.publish('system.control', 1).catch(() => {})));
  assert.deepEqual(
    bus.reports.map(({ event }) => event),
    [
      {
        name: 'bus:denied',
        data: { principal: 'offender', subject: 'system.control', count: 1, sinceMs: 0 },
      },
      { name: 'bus:muted', data: { principal: 'offender', periodMs: 2000, denied: 200, level: 1 } },
    ],
  );
  const muted = async () =>
    ((await bus.call('message_bus', 'stats')) as BusStatistics).muted.map(({ principal }) => principal);
  assert.deepEqual(await muted(), ['offender']);
  assert.deepEqual(await bus.call('message_bus', 'unmute', { principal: 'offender' }), {
    principal: 'offender',
    unmuted: true,
  });
  assert.deepEqual(await muted(), []);
  await bus.call('message_bus', 'mute', { principal: 'asker', periodMs: 60_000 });
  assert.deepEqual(await muted(), ['asker']);
  await assert.rejects(bus.call('message_bus', 'mute', { principal: 'askre', periodMs: 1000 }), {
    code: 'NOT_FOUND',
    message: /did you mean "asker"/,
  });
  for (const principal of ['supervisor', 'bus_probe', 'message_bus']) {
    await assert.rejects(bus.call('message_bus', 'mute', { principal, periodMs: 1000 }), { code: 'FORBIDDEN' });
  }
});

test('a permit is given by somebody else, listed, and revoked', async (t) => {
  const bus = await rig(t);
  const client = bus.bus('chaos_test');
  const permit = (await bus.call('message_bus', 'permit', {
    principal: 'chaos_test',
    publish: ['drill.>'],
    periodMs: 60_000,
  })) as { id: string };
  await client.publish('drill.a', 1);
  assert.deepEqual(await bus.call('message_bus', 'permits'), [permit]);
  assert.deepEqual(await bus.call('message_bus', 'revoke', { id: permit.id }), { id: permit.id, revoked: true });
  await assert.rejects(client.publish('drill.a', 1), { code: 'BUS_DENIED' });
  await assert.rejects(bus.call('message_bus', 'revoke', { id: permit.id }), { code: 'NOT_FOUND' });
  const own = { principal: 'asker', publish: ['drill.>'], periodMs: 1000 };
  await assert.rejects(bus.bus('asker').request('kernel.message_bus.call.permit', own), { code: 'FORBIDDEN' });
  const nothing = { principal: 'chaos_test', periodMs: 1000 };
  await assert.rejects(bus.call('message_bus', 'permit', nothing), { code: 'BAD_INPUT' });
  const bad = { principal: 'chaos_test', publish: ['a..b'], periodMs: 1000 };
  await assert.rejects(bus.call('message_bus', 'permit', bad), { code: 'BUS_BAD_SUBJECT' });
});

test('the publish verb publishes as message_bus, under its own rules', async (t) => {
  const bus = await rig(t);
  assert.ok(await bus.call('message_bus', 'publish', { subject: 'telemetry.x', payload: { n: 1 } }));
  await assert.rejects(bus.call('message_bus', 'publish', { subject: 'audit.x', payload: 1 }), { code: 'BUS_DENIED' });
  await assert.rejects(bus.call('message_bus', 'publish', { subject: 'a', paylod: 1 }), {
    code: 'BAD_INPUT',
    message: /payload/,
  });
});

test('statistics reach the journal when somebody did something', async (t) => {
  const bus = await rig(t);
  const reported = () => bus.reports.filter(({ event }) => event.name === 'bus:statistics');
  await bus.call('message_bus', 'publish', { subject: 'telemetry.x', payload: 1 });
  const [first] = await poll('they are reported', () => (reported().length > 0 ? reported() : undefined));
  const { accepted, handled, waiting } = first!.event.data as BusStatistics;
  assert.ok(accepted >= 1);
  assert.equal(accepted, handled + waiting);
});

test('what the bus republishes and probes is no activity, what anybody else does is', () => {
  const totals = { accepted: 0, handled: 0, rejected: 0, expired: 0, deadLettered: 0, waiting: 0, denied: 0 };
  const seen = (principals: BusStatistics['principals'], more: Partial<BusStatistics> = {}) =>
    activity({
      ...totals,
      muted: [],
      clients: [],
      families: {},
      principals,
      latency: {},
      unbalanced: [],
      durable: null,
      ...more,
    });
  const latency = { count: 0, sumMs: 0, p50Ms: null, p99Ms: null, buckets: [] };
  const one = { published: 1, denied: 0, lastSubject: '', mutedUntilMono: null, level: 0, latency };
  const quiet = seen({});
  assert.equal(seen({ supervisor: one, bus_probe: one }, { accepted: 2, handled: 2 }), quiet);
  assert.notEqual(seen({ librarian: one }), quiet);
  assert.notEqual(seen({}, { waiting: 1 }), quiet);
  assert.notEqual(seen({}, { expired: 1 }), quiet);
});

test('without the access that makes it the broker, or with its socket taken, it does not start', async (t) => {
  const bus = await rig(t);
  const alone = defineKernel({ id: 'alone', start: (ctx) => messageBus.start({ ...ctx, broker: null }) });
  await assert.rejects(rigKernels([alone]), { code: 'KERNEL_START' });
  const second = defineKernel({
    id: 'message_bus',
    start: (ctx) => messageBus.start({ ...ctx, broker: { ...ctx.broker!, socket: `${bus.home}/bus.sock` } }),
  });
  await assert.rejects(rigKernels([second]), { code: 'CONFLICT' });
  assert.equal((await bus.probe('message_bus'))['denied'], 'BUS_DENIED');
});
