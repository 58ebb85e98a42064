import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { bootSystem, poll, type System } from '@grace/testkit';

describe('a system whose bus is killed', () => {
  let system: System;
  before(async () => {
    system = await bootSystem({ args: ['--only', 'scheduler,memory_fusion'] });
    assert.equal(system.booted.code, 0, system.booted.stdout);
  });
  after(() => system?.site.close({ mayLeave: true }));

  test('accepts every message of a publisher outside in the end, and a subscriber outside goes on hearing', async () => {
    const [publisher, subscriber] = [await system.bus('workload'), await system.bus('workload')];
    const heard = new Set<number>();
    await subscriber.subscribe('workload.numbers.*', (message) => void heard.add((message.payload as { n: number }).n));
    const refused: string[] = [];
    const pending: Promise<unknown>[] = [];
    let n = 0;
    const publish = (): void => {
      const number = n++;
      const sent = publisher.publish(`workload.numbers.n${number % 7}`, { n: number }, { deadlineMs: 60_000 });
      pending.push(sent.catch((error) => refused.push(`${number}: ${error.code} ${error.message}`)));
    };
    const publishing = setInterval(publish, 5);
    try {
      await poll('messages flow', () => heard.size > 20);
      const { incarnation } = await system.kernel('message_bus');
      process.kill(await system.cellPid('core'), 'SIGKILL');
      await system.back('message_bus', incarnation);
      const after = n;
      await poll('messages of after the kill are heard', () => [...heard].filter((one) => one > after).length > 20);
    } finally {
      clearInterval(publishing);
    }
    await Promise.all(pending);
    assert.deepEqual(refused, []);
    assert.ok(subscriber.counters().reconnects > 0 && publisher.counters().reconnects > 0);
    const last = n - 1;
    await poll('the last message is heard', () => heard.has(last));
  });

  test('has its verbs on the bus again', async () => {
    const operator = await system.bus('cli');
    for (const id of ['scheduler', 'memory_fusion', 'message_bus']) {
      const status = await poll(`${id} answers over the bus`, () =>
        operator.request(`kernel.${id}.call.status`, {}, { deadlineMs: 2000 }),
      );
      assert.ok(typeof status === 'object', id);
    }
  });

  test('refuses with a code what the access rules forbid, after the kill as before', async () => {
    const workload = await system.bus('workload');
    await assert.rejects(workload.publish('system.events.kernel.ready', {}), { code: 'BUS_DENIED' });
  });

  test('leaves nothing behind when it stops', async () => {
    await system.stop();
  });
});
