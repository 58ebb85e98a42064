// Holds a ledger open, as a process or as a thread, until it is ended.
import { parentPort, workerData } from 'node:worker_threads';
import { openLedger } from '../src/index.ts';

const ledger = await openLedger({ dir: workerData?.dir ?? process.argv[2]! });
await ledger.append('held');
if (parentPort) parentPort.postMessage('held');
else process.stdout.write('held\n');
setInterval(() => undefined, 60_000);
