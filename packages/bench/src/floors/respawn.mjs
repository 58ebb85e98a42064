// Floor of a lost host process: SIGKILL, and a new process with five empty threads online.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';

if (!isMainThread) parentPort.postMessage('online');
else if (process.argv[2] === 'cell') {
  const workers = Array.from({ length: 5 }, () => new Worker(new URL(import.meta.url)));
  await Promise.all(workers.map((worker) => once(worker, 'message')));
  process.send('ready');
  setInterval(() => {}, 1000);
} else {
  const start = async () => {
    const child = fork(new URL(import.meta.url), ['cell']);
    await once(child, 'message');
    return child;
  };
  let cell = await start();
  const started = performance.now();
  cell.kill('SIGKILL');
  await once(cell, 'exit');
  cell = await start();
  console.log(JSON.stringify({ respawnMs: performance.now() - started }));
  cell.kill('SIGKILL');
}
