import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AclDocument, BusStatistics } from '@grace/contracts';
import { poll, rigKernels } from '@grace/testkit';
import messageBus from './kernel.ts';

const none = { allow: [], deny: [] };
const ACL: AclDocument = {
  kernels: { subscribe: { allow: ['kernel.{self}.>'], deny: [] }, publish: none },
  principals: {
    offender: { subscribe: none, publish: { allow: ['own.>'], deny: [] } },
    reader: { subscribe: { allow: ['own.>'], deny: [] }, publish: none },
  },
};

async function rig(t: { after(work: () => Promise<void>): void }) {
  const bus = await rigKernels([messageBus], { acl: ACL });
  t.after(() => bus.close());
  return {
    ...bus,
    stats: async () => (await bus.call('message_bus', 'stats')) as BusStatistics,
    told: (...names: string[]) => bus.reports.map(({ event }) => event).filter(({ name }) => names.includes(name)),
  };
}

test('mutes and permits survive a restart of the broker, and the journal hears who gave them', async (t) => {
  const bus = await rig(t);
  await bus.call('message_bus', 'mute', { principal: 'offender', periodMs: 60_000 });
  const permit = await bus.call('message_bus', 'permit', { principal: 'x', publish: ['drill.>'], periodMs: 60_000 });
  const { muted } = await bus.stats();
  await bus.restart('message_bus');
  const again = await bus.stats();
  const close = (a: number, b: number): boolean => Math.abs(a - b) < 5;
  assert.equal(again.muted.length, 1);
  assert.ok(close(again.muted[0]!.untilMono, muted[0]!.untilMono));
  const [same] = (await bus.call('message_bus', 'permits')) as { id: string; untilMono: number }[];
  assert.ok(close(same!.untilMono, (permit as typeof same)!.untilMono));
  assert.deepEqual({ ...same, untilMono: 0 }, { ...(permit as object), untilMono: 0 });
  await bus.call('message_bus', 'unmute', { principal: 'offender' });
  await bus.call('message_bus', 'revoke', { id: same!.id });
  await bus.restart('message_bus');
  assert.deepEqual([(await bus.stats()).muted, await bus.call('message_bus', 'permits')], [[], []]);
  const by = bus
    .told('bus:muted', 'bus:unmuted', 'bus:permit', 'bus:revoke')
    .map(({ name, data }) => [name, (data as { by?: string }).by]);
  assert.deepEqual(by, [
    ['bus:muted', 'test'],
    ['bus:permit', 'test'],
    ['bus:muted', undefined],
    ['bus:unmuted', 'test'],
    ['bus:revoke', 'test'],
  ]);
});

test('access rules are replaced by the supervisor alone, and the probe counts the new principals', async (t) => {
  const bus = await rig(t);
  await assert.rejects(bus.call('message_bus', 'reload', { acl: ACL }), {
    code: 'FORBIDDEN',
    message: /grace bus reload/,
  });
  assert.equal((await bus.probe('message_bus'))['principals'], 2);
});

test('violations are seen per principal: how many, the last subject, the mute and its level', async (t) => {
  const bus = await rig(t);
  const client = bus.bus('offender');
  await Promise.all(Array.from({ length: 250 }, () => client.publish('other.thing', 1).catch(() => {})));
  const { principals, latency } = await poll('all are counted', async () => {
    const seen = await bus.stats();
    return seen.denied === 250 && seen;
  });
  const { denied, lastSubject, level, mutedUntilMono } = principals['offender']!;
  assert.deepEqual([denied, lastSubject, level], [250, 'other.thing', 1]);
  assert.ok(mutedUntilMono !== null);
  assert.deepEqual(latency['other'], { count: 0, sumMs: 0, p50Ms: null, p99Ms: null, buckets: [] });
});

test('latencies are counted per family and per principal that published', async (t) => {
  const bus = await rig(t);
  const [reader, client] = [bus.bus('reader'), bus.bus('offender')];
  await reader.subscribe('own.>', () => new Promise((resolve) => setTimeout(resolve, 20)));
  for (let i = 0; i < 5; i++) await client.publish('own.a', i);
  const { latency, principals } = await poll('all are handled', async () => {
    const seen = await bus.stats();
    return seen.families['own']?.handled === 5 && seen;
  });
  const own = latency['own']!;
  assert.deepEqual(own, principals['offender']!.latency);
  assert.equal(own.count, 5);
  assert.ok(own.p50Ms! >= 19 && own.sumMs >= 5 * 19, JSON.stringify(own));
  assert.equal(principals['reader']!.latency.count, 0);
});
