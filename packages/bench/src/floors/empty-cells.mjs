// Floor of boot, memory and CPU at rest: host processes with empty threads that stamp a heartbeat. argv: threads per process, comma separated.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';

const BEAT_MS = 100;

if (!isMainThread) {
  const slot = new BigInt64Array(workerData);
  setInterval(() => Atomics.store(slot, 0, process.hrtime.bigint()), BEAT_MS);
  parentPort.postMessage('ready');
} else if (process.argv[2] === 'cell') {
  const workers = Array.from(
    { length: Number(process.argv[3]) },
    () => new Worker(new URL(import.meta.url), { workerData: new SharedArrayBuffer(8) }),
  );
  await Promise.all(workers.map((worker) => once(worker, 'message')));
  process.send('ready');
  process.on('disconnect', () => process.exit());
} else {
  const layout = process.argv[2].split(',');
  const started = performance.now();
  const cells = layout.map((threads) => fork(new URL(import.meta.url), ['cell', threads]));
  await Promise.all(cells.map((cell) => once(cell, 'message')));
  const bootMs = performance.now() - started;
  const ticks = () => cells.reduce((sum, { pid }) => sum + cpuTicks(pid), 0);
  await new Promise((resolve) => setTimeout(resolve, 1000));
  const before = ticks();
  await new Promise((resolve) => setTimeout(resolve, 3000));
  const cpuPercent = (ticks() - before) / 3;
  const pssBytes = cells.reduce((sum, { pid }) => sum + pss(pid), 0);
  console.log(JSON.stringify({ bootMs, pssBytes, cpuPercent }));
  for (const cell of cells) cell.disconnect();
}

function cpuTicks(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return Number(fields[11]) + Number(fields[12]);
}

function pss(pid) {
  return Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'latin1'))[1]) * 1024;
}
