// An empty thread: says it is there, echoes what it gets.
import { parentPort } from 'node:worker_threads';

parentPort.postMessage('ready');
parentPort.on('message', (message) => parentPort.postMessage(message));
