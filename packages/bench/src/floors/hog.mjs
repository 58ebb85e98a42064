// A process outside that keeps every core busy for the given time, and then ends by itself.
import { availableParallelism } from 'node:os';
import { isMainThread, Worker } from 'node:worker_threads';

const forMs = Number(process.argv[2] ?? 60_000);
if (isMainThread) {
  for (let n = 1; n < availableParallelism(); n++) new Worker(new URL(import.meta.url), { argv: [String(forMs)] });
}
const end = performance.now() + forMs;
while (performance.now() < end);
if (isMainThread) process.exit(0);
