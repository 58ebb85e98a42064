// Floors of crash and hang: terminate a thread and make a new one; notice a heartbeat older than 200 ms and do the same.
import { once } from 'node:events';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

if (!isMainThread) {
  const slot = new BigInt64Array(workerData);
  const stamp = () => Atomics.store(slot, 0, process.hrtime.bigint());
  stamp();
  setInterval(stamp, 50);
  parentPort.on('message', () => {
    for (;;);
  });
  parentPort.postMessage('ready');
} else {
  const buffer = new SharedArrayBuffer(8);
  const slot = new BigInt64Array(buffer);
  const make = async () => {
    const worker = new Worker(new URL(import.meta.url), { workerData: buffer });
    await once(worker, 'message');
    return worker;
  };
  let worker = await make();
  await new Promise((resolve) => setTimeout(resolve, 300));
  let started = performance.now();
  await worker.terminate();
  worker = await make();
  const crashMs = performance.now() - started;
  await new Promise((resolve) => setTimeout(resolve, 300));
  started = performance.now();
  worker.postMessage(1);
  while (Number(process.hrtime.bigint() - slot[0]) / 1e6 < 200) await new Promise((resolve) => setTimeout(resolve, 25));
  await worker.terminate();
  worker = await make();
  const hangMs = performance.now() - started;
  await worker.terminate();
  console.log(JSON.stringify({ crashMs, hangMs }));
}
