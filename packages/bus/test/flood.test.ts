import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { createBusClient } from '@grace/bus/client';
import type { AclDocument, BusStatistics } from '@grace/contracts';
import { signBusToken } from '@grace/control';
import { poll } from '@grace/testkit';
import { identity, isBalanced, KEY, rules, WIRES } from './bed.ts';

const ACL: AclDocument = {
  kernels: rules(['>'], ['>']),
  principals: { intruder: rules([], [], { publish: ['system.control.>'] }) },
};
const COUNT = 100_000;

for (const wire of WIRES) {
  test(`while a thread floods a ${wire} with what it may not publish, the others are still answered, and every message is counted`, async (t) => {
    const home = mkdtempSync(join(tmpdir(), 'grace-flood-'));
    t.after(() => rmSync(home, { recursive: true, force: true }));
    const socket = join(home, 'bus.sock');
    const broker = new Worker(new URL('./fixtures/broker-thread.ts', import.meta.url));
    t.after(() => broker.terminate());
    broker.postMessage({ acl: ACL, socket, key: KEY });
    await once(broker, 'message');
    const connect = (principal: string, kernel = true): MessagePort => {
      const { port1, port2 } = new MessageChannel();
      broker.postMessage({ port: port1, identity: identity(principal, { kernel }) }, [port1]);
      return port2;
    };
    const [asker, answerer] = [createBusClient(), createBusClient()];
    t.after(() => Promise.all([asker.close(), answerer.close()]));
    asker.attach(connect('asker'));
    answerer.attach(connect('answerer'));
    await answerer.subscribe('ask.*', (message) => message.reply(message.payload));

    const port = wire === 'port' ? connect('intruder', false) : null;
    const token = signBusToken(identity('intruder', { kernel: false }), KEY);
    const flooder = new Worker(new URL('./fixtures/flooder-thread.ts', import.meta.url), {
      workerData: { port, socket, token, messages: COUNT },
      transferList: port ? [port] : [],
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
    const statistics = await poll('every message is counted', async () => {
      broker.postMessage('statistics');
      const [seen] = (await once(broker, 'message')) as [BusStatistics];
      return seen.denied >= COUNT && seen;
    });
    assert.equal(statistics.denied, COUNT);
    assert.equal(statistics.families['system']!.denied, COUNT);
    assert.equal(statistics.principals['intruder']!.denied, COUNT);
    assert.equal(statistics.accepted, answered);
    assert.ok(isBalanced(statistics));
  });
}
