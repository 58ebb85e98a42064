// A broker in a thread of its own, on ports and a socket; says its own CPU time when asked.
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { createBroker } from '@grace/bus/broker';
import type { AclDocument, BusIdentity } from '@grace/contracts';

const everything = { allow: ['>'], deny: [] };
const nothing = { allow: [], deny: [] };
const acl: AclDocument = {
  kernels: { publish: everything, subscribe: everything },
  principals: { intruder: { publish: nothing, subscribe: nothing } },
};
const broker = createBroker({
  acl,
  mute: { enabled: workerData.mute, threshold: 200, windowMs: 1000, periodMs: 60_000, periodMaxMs: 60_000 },
  maxPayloadBytes: 1e6,
});
await broker.listen(workerData.socket, workerData.key);
parentPort!.on('message', (order: 'look' | 'close' | { port: MessagePort; identity: BusIdentity }) => {
  if (order === 'close') void broker.close().then(() => process.exit(0));
  else if (order === 'look') {
    const { user, system } = process.threadCpuUsage();
    parentPort!.postMessage({ cpuUs: user + system, denied: broker.statistics().denied });
  } else broker.attach(order.port, order.identity);
});
parentPort!.postMessage('ready');
