import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MessageChannel, Worker } from 'node:worker_threads';
import { type BusConnection, createBusClient } from '@grace/bus/client';
import { signBusToken } from '@grace/control';
import { floor } from '../floor.ts';
import type { Sample } from './sample.ts';

const MESSAGES = 60_000;
const WARM_UP = 20_000;
/** Publishes that are undecided at once: the window of a client. */
const WINDOW = 1024;
const KEY = new Uint8Array(32).fill(7);

/** Publishes on a durable subject that nobody handles yet, each accepted when its commit is on disk. */
export async function measureDurable(): Promise<Sample> {
  const { batchedPerSecond } = await floor('durable');
  return {
    durable_near: { floor: batchedPerSecond!, value: await rate('port') },
    durable_far: { floor: batchedPerSecond!, value: await rate('socket') },
  };
}

async function rate(wire: 'port' | 'socket'): Promise<number> {
  const dir = mkdtempSync(join(tmpdir(), 'grace-bench-'));
  const socket = join(dir, 'bus.sock');
  const { port1, port2 } = new MessageChannel();
  const identity = { principal: 'publisher', incarnation: 1, messagesPerSecond: 1e9, kernel: true };
  const worker = new Worker(new URL('../durable/broker.ts', import.meta.url), {
    workerData: { dir, socket, key: KEY, port: port2, identity },
    transferList: [port2],
  });
  const client = createBusClient();
  try {
    await once(worker, 'message');
    if (wire === 'port') client.attach(port1);
    else client.dial(socket, signBusToken(identity, KEY));
    await publish(client, WARM_UP);
    const started = performance.now();
    await publish(client, MESSAGES);
    return MESSAGES / ((performance.now() - started) / 1000);
  } finally {
    await client.close();
    worker.postMessage('close');
    await once(worker, 'exit');
    port1.close();
    rmSync(dir, { recursive: true, force: true });
  }
}

async function publish(client: BusConnection, messages: number): Promise<void> {
  const payload = { text: 'x'.repeat(268) };
  let sent = 0;
  await Promise.all(
    Array.from({ length: WINDOW }, async () => {
      while (sent++ < messages) await client.publish('task.bench', payload, { deadlineMs: 60_000 });
    }),
  );
}
