import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { MessageChannel } from 'node:worker_threads';
import { createBroker } from '@grace/bus/broker';
import { createBusClient } from '@grace/bus/client';
import type { BusStatistics } from '@grace/contracts';
import { signBusToken } from '@grace/control';
import { poll } from '@grace/testkit';
import { codeOf, createBed, identity, isBalanced, KEY, MUTE, OPEN } from './bed.ts';

async function startBroker(socket: string): Promise<ChildProcess> {
  const child = fork(new URL('./fixtures/broker-process.ts', import.meta.url), [socket, KEY.toString('hex')]);
  await once(child, 'message');
  return child;
}

async function statisticsOf(child: ChildProcess): Promise<BusStatistics> {
  child.send('statistics');
  const [statistics] = await once(child, 'message');
  return statistics as BusStatistics;
}

test('when the broker is killed, clients find its successor and send again what was not accepted; nothing is handled twice', async (t) => {
  const home = mkdtempSync(join(tmpdir(), 'grace-bus-'));
  const socket = join(home, 'bus.sock');
  let broker = await startBroker(socket);
  const [publisher, subscriber] = [createBusClient({ outboxLimit: 100_000 }), createBusClient()];
  t.after(async () => {
    await Promise.all([publisher.close(), subscriber.close()]);
    const exited = once(broker, 'exit');
    broker.kill('SIGKILL');
    await exited;
    rmSync(home, { recursive: true });
  });
  publisher.dial(socket, signBusToken(identity('publisher'), KEY));
  subscriber.dial(socket, signBusToken(identity('subscriber'), KEY));
  const handled: number[] = [];
  await subscriber.subscribe('task.>', ({ payload }) => void handled.push(payload as number));

  const accepted: number[] = [];
  let next = 0;
  const sent: Promise<void>[] = [];
  for (const kill of [true, true, false]) {
    const upTo = next + 4000;
    const handledBefore = handled.length;
    for (; next < upTo; next++) {
      const n = next;
      sent.push(publisher.publish('task.n', n, { deadlineMs: 60_000 }).then(() => void accepted.push(n)));
    }
    await poll('some are handled', () => handled.length > handledBefore + 100);
    if (!kill) continue;
    const { reconnects } = subscriber.counters();
    const exited = once(broker, 'exit');
    broker.kill('SIGKILL');
    await exited;
    assert.ok(existsSync(socket), 'a killed broker leaves its socket file');
    broker = await startBroker(socket);
    // What is published to a broker that has no subscriber yet is handled by nobody.
    await poll('the subscriber is back', () => subscriber.counters().reconnects > reconnects);
  }
  await Promise.all(sent);
  assert.equal(accepted.length, next);
  assert.equal(new Set(accepted).size, next);
  const statistics = await poll('the last broker has nothing left', async () => {
    const now = await statisticsOf(broker);
    return now.waiting === 0 ? now : undefined;
  });
  assert.ok(isBalanced(statistics));
  assert.equal(new Set(handled).size, handled.length, 'nothing was handled twice');
  assert.deepEqual([publisher.counters().reconnects, subscriber.counters().reconnects], [2, 2]);
  assert.ok(publisher.counters().resent > 0);
});

test('a new port takes the place of the old wire: subscriptions are made again, what waits is sent', async (t) => {
  const first = createBroker({ acl: OPEN, mute: MUTE, maxPayloadBytes: 1e6 });
  const second = createBroker({ acl: OPEN, mute: MUTE, maxPayloadBytes: 1e6 });
  const [a, b] = [createBusClient(), createBusClient()];
  t.after(() => Promise.all([a.close(), b.close(), first.close(), second.close()]));
  const wire = (broker: typeof first, client: typeof a, principal: string): void => {
    const { port1, port2 } = new MessageChannel();
    broker.attach(port1, identity(principal));
    client.attach(port2);
  };
  const got: unknown[] = [];
  const early = a.publish('task.a', 'before any wire');
  const subscribed = b.subscribe('task.*', ({ payload }) => void got.push(payload));
  wire(first, b, 'b');
  await subscribed;
  wire(first, a, 'a');
  await early;
  await poll('the first arrived', () => got.length === 1);
  await b.subscribe('ask.*', () => new Promise(() => {}));
  const request = codeOf(a.request('ask.it', 1, { deadlineMs: 60_000 }));
  await poll('it is accepted', () => a.counters().accepted === 2);
  await first.close();
  await poll('both know', () => !a.connected && !b.connected);
  assert.equal(await request, 'BUS_CLOSED');
  const meanwhile = a.publish('task.a', 'between the brokers');
  assert.equal(await codeOf(a.publish('task.a', 'too late', { deadlineMs: 30 })), 'BUS_DEADLINE');
  wire(second, b, 'b');
  await poll('its subscriptions are back', () => b.connected);
  wire(second, a, 'a');
  await meanwhile;
  await poll('the second arrived', () => got.length === 2);
  assert.deepEqual(got, ['before any wire', 'between the brokers']);
  assert.deepEqual(a.counters(), {
    published: 4,
    accepted: 3,
    refused: 2,
    received: 0,
    dropped: 0,
    overloaded: 0,
    reconnects: 1,
    resent: 0,
    outbox: 0,
  });
});

test('a wire that breaks after the broker accepted does not deliver the message again', async (t) => {
  const bed = await createBed();
  t.after(() => bed.close());
  const subscriber = await bed.connect('port', 'subscriber');
  const got: unknown[] = [];
  await subscriber.subscribe('task.*', ({ payload }) => void got.push(payload));
  const publisher = createBusClient();
  t.after(() => publisher.close());
  const silent = new MessageChannel();
  const { port1, port2 } = new MessageChannel();
  bed.broker.attach(port1, identity('publisher'));
  // The broker's frames reach the client until it is cut off: the acceptance is lost, the message is not.
  silent.port1.on('message', (frame) => port2.postMessage(frame));
  port2.on('message', (frame) => {
    if (frame[0] === 'welcome') silent.port1.postMessage(frame);
  });
  publisher.attach(silent.port2);
  const sent = publisher.publish('task.a', 'once', { deadlineMs: 60_000 });
  await poll('the subscriber has it', () => got.length === 1);
  port2.close();
  silent.port1.close();
  const again = new MessageChannel();
  bed.broker.attach(again.port1, identity('publisher', { incarnation: 2 }));
  publisher.attach(again.port2);
  await sent;
  await publisher.publish('task.a', 'after');
  await poll('the next arrived', () => got.includes('after'));
  assert.deepEqual(got, ['once', 'after']);
  assert.equal(publisher.counters().resent, 1);
});

test('what the broker before had delivered is not handled again when its publisher sends it to the successor', async (t) => {
  const [first, second] = [await createBed(), await createBed()];
  t.after(() => Promise.all([first.close(), second.close()]));
  const [publisher, subscriber] = [createBusClient(), createBusClient()];
  t.after(() => Promise.all([publisher.close(), subscriber.close()]));
  const got: unknown[] = [];
  const wire = (bed: typeof first, client: typeof publisher, principal: string): void => {
    const { port1, port2 } = new MessageChannel();
    bed.broker.attach(port1, identity(principal));
    client.attach(port2);
  };
  wire(first, subscriber, 'subscriber');
  await subscriber.subscribe('task.*', ({ payload }) => void got.push(payload));
  // A publisher whose acceptance never comes back.
  const deaf = new MessageChannel();
  const inner = new MessageChannel();
  first.broker.attach(inner.port1, identity('publisher'));
  deaf.port1.on('message', (frame) => inner.port2.postMessage(frame));
  inner.port2.on('message', (frame) => frame[0] === 'welcome' && deaf.port1.postMessage(frame));
  publisher.attach(deaf.port2);
  const sent = publisher.publish('task.a', 'once', { deadlineMs: 60_000 });
  await poll('it was handled', () => got.length === 1);
  inner.port2.close();
  deaf.port1.close();
  wire(second, subscriber, 'subscriber');
  await poll('the subscriber is at the successor', () => subscriber.connected);
  wire(second, publisher, 'publisher');
  await sent;
  await publisher.publish('task.a', 'after');
  await poll('the next arrived', () => got.length === 2);
  assert.deepEqual(got, ['once', 'after']);
  assert.equal(subscriber.counters().dropped, 1);
});
