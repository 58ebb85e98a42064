// Floor of the bus in a cell: A -> hub -> B -> hub -> A over bare MessagePorts, one message per post.
import { once } from 'node:events';
import { isMainThread, MessageChannel, parentPort, Worker, workerData } from 'node:worker_threads';

if (!isMainThread) {
  parentPort.once('message', ({ a, b, port }) => {
    if (workerData === 'hub') {
      a.on('message', (message) => b.postMessage(message));
      b.on('message', (message) => a.postMessage(message));
    } else port.on('message', (message) => port.postMessage(message));
    parentPort.postMessage('ready');
  });
} else {
  const hub = new Worker(new URL(import.meta.url), { workerData: 'hub' });
  const echo = new Worker(new URL(import.meta.url), { workerData: 'echo' });
  const toA = new MessageChannel();
  const toB = new MessageChannel();
  hub.postMessage({ a: toA.port1, b: toB.port1 }, [toA.port1, toB.port1]);
  echo.postMessage({ port: toB.port2 }, [toB.port2]);
  await Promise.all([once(hub, 'message'), once(echo, 'message')]);
  const port = toA.port2;
  const trips = 10_000;
  let arrived = () => {};
  port.on('message', () => arrived());
  const trip = (i) =>
    new Promise((resolve) => {
      arrived = resolve;
      port.postMessage({ subject: 'a.b', i });
    });
  for (let i = 0; i < 1000; i++) await trip(i);
  let started = performance.now();
  for (let i = 0; i < trips; i++) await trip(i);
  const roundTripUs = ((performance.now() - started) * 1000) / trips;
  const messages = 200_000;
  let got = 0;
  const all = new Promise((resolve) => {
    arrived = () => {
      if (++got === messages) resolve();
    };
  });
  started = performance.now();
  for (let i = 0; i < messages; i++) port.postMessage({ subject: 'a.b', i });
  await all;
  const perSecond = messages / ((performance.now() - started) / 1000);
  console.log(JSON.stringify({ roundTripUs, perSecond }));
  process.exit();
}
