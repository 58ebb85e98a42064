import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { MessageChannel, Worker } from 'node:worker_threads';
import { createBusClient } from '@grace/bus/client';
import type { AclDocument, BusStatistics } from '@grace/contracts';
import { identity, isBalanced, rules } from './bed.ts';

const ACL: AclDocument = {
  kernels: rules(['>'], ['>']),
  principals: { intruder: rules([], [], { publish: ['system.control.>'] }) },
};
const COUNT = 50_000;

test('while a thread floods what it may not publish, the others are still answered, and every message is counted', async (t) => {
  const broker = new Worker(new URL('./fixtures/broker-thread.ts', import.meta.url));
  t.after(() => broker.terminate());
  broker.postMessage({ acl: ACL });
  await once(broker, 'message');
  const wire = (principal: string, kernel = true): MessagePort => {
    const { port1, port2 } = new MessageChannel();
    broker.postMessage({ port: port1, identity: identity(principal, { kernel }) }, [port1]);
    return port2;
  };
  const [asker, answerer] = [createBusClient(), createBusClient()];
  t.after(() => Promise.all([asker.close(), answerer.close()]));
  asker.attach(wire('asker'));
  answerer.attach(wire('answerer'));
  await answerer.subscribe('ask.*', (message) => message.reply(message.payload));

  const port = wire('intruder', false);
  const flooder = new Worker(new URL('./fixtures/flooder-thread.ts', import.meta.url), {
    workerData: { port, messages: COUNT },
    transferList: [port],
  });
  t.after(() => flooder.terminate());
  const over = once(flooder, 'message');
  let flooding = true;
  void over.then(() => {
    flooding = false;
  });
  let answered = 0;
  while (flooding) assert.equal(await asker.request('ask.it', ++answered, { deadlineMs: 30_000 }), answered);
  assert.ok(answered > 10, `${answered} round trips during the flood`);

  const [codes] = await over;
  assert.deepEqual(codes, { BUS_DENIED: 200, BUS_MUTED: COUNT - 200 });
  broker.postMessage('statistics');
  const [statistics] = (await once(broker, 'message')) as [BusStatistics];
  assert.equal(statistics.denied, COUNT);
  assert.equal(statistics.families['system']!.denied, COUNT);
  assert.equal(statistics.accepted, answered);
  assert.ok(isBalanced(statistics));
});

type MessagePort = InstanceType<typeof MessageChannel>['port1'];
