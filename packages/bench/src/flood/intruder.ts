// Publishes what it may not, as fast as its windows let it, and tells when every message was answered.
import { parentPort, workerData } from 'node:worker_threads';
import { createBusClient } from '@grace/bus/client';

const { port, socket, token, messages } = workerData;
const client = createBusClient({ outboxLimit: 2 * messages });
if (port) client.attach(port);
else client.dial(socket, token);
let refused = 0;
const sent: Promise<void>[] = [];
for (let i = 0; i < messages; i++) {
  const text = 'x'.repeat(100);
  sent.push(
    client.publish('system.control.stop', { i, text }, { deadlineMs: 120_000 }).then(
      () => {},
      () => void refused++,
    ),
  );
}
await Promise.all(sent);
parentPort!.postMessage(refused);
await client.close();
