import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MessageChannel } from 'node:worker_threads';
import { createBusClient } from '@grace/bus/client';
import type { BrokerBirth } from '@grace/contracts';
import { openBed, poll } from '../../test/bed.ts';
import { createBrokerLane } from './broker-lane.ts';

const BIRTH: BrokerBirth = {
  socket: '/nowhere/bus.sock',
  key: new Uint8Array(32),
  acl: {},
  mute: { enabled: true, threshold: 1, windowMs: 1, periodMs: 1, periodMaxMs: 1 },
  maxPayloadBytes: 1000,
};

test('clients that came before the broker listens wait for it, each is handed over once, in their order', () => {
  const lane = createBrokerLane(BIRTH, createBusClient());
  const { port1, port2 } = new MessageChannel();
  const came = (principal: string) =>
    lane.receive({ t: 'bus-client', port: port1, principal, incarnation: 1, messagesPerSecond: 5 });
  const wired: string[] = [];
  came('a');
  came('b');
  lane.onClient(({ principal }) => wired.push(principal));
  came('c');
  assert.deepEqual(wired, ['a', 'b', 'c']);
  port1.close();
  port2.close();
});

test('journal records go to whoever listens', () => {
  const lane = createBrokerLane(BIRTH, createBusClient());
  lane.receive({ t: 'feed', records: [0], missed: 0 });
  const heard: unknown[] = [];
  lane.onFeed((records, missed) => heard.push({ records, missed }));
  lane.receive({ t: 'feed', records: [1, 2], missed: 3 });
  assert.deepEqual(heard, [{ records: [1, 2], missed: 3 }]);
});

test('the broker gives its own kernel a wire', async (t) => {
  const bed = openBed(t);
  const bus = createBusClient();
  const lane = createBrokerLane(BIRTH, bus);
  lane.connectSelf(bed.port('message_bus'));
  await poll('the kernel is on the bus', () => bus.connected);
  await bus.close();
});
