// A broker that keeps, in a thread: its port wire comes with its birth, its socket and folder too.
import { parentPort, workerData } from 'node:worker_threads';
import { createBroker } from '@grace/bus/broker';

const { dir, socket, key, port, identity } = workerData;
const all = { publish: { allow: ['>'], deny: [] }, subscribe: { allow: ['>'], deny: [] } };
const broker = createBroker({
  acl: { kernels: all, principals: {} },
  mute: { enabled: true, threshold: 200, windowMs: 1000, periodMs: 2000, periodMaxMs: 60_000 },
  maxPayloadBytes: 1e6,
  durable: { dir },
});
await broker.open();
await broker.listen(socket, key);
broker.attach(port, identity);
parentPort!.on('message', () => void broker.close().then(() => process.exit()));
parentPort!.postMessage('ready');
