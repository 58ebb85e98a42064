import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { type BusConnection, createBusClient } from '@grace/bus/client';
import { signBusToken } from '@grace/control';
import type { Sample } from './sample.ts';

const MESSAGES = 200_000;
const COST_MESSAGES = 50_000;
const KEY = new Uint8Array(32).fill(7);
const QUIET_TRIPS = 3000;

/**
 * 200,000 messages that are denied, over each wire: others' round trips meanwhile against quiet. And with nobody else on the bus, what one
 * denied message costs the thread of the broker, muted against refused one by one.
 */
export async function measureFlood(): Promise<Sample> {
  const port = await withBroker('port', true, latencyUs);
  const socket = await withBroker('socket', true, latencyUs);
  return {
    flood_port: { floor: port.quiet, value: port.during },
    flood_socket: { floor: socket.quiet, value: socket.during },
    denied_port: { floor: await withBroker('port', false, costUs), value: await withBroker('port', true, costUs) },
    denied_socket: {
      floor: await withBroker('socket', false, costUs),
      value: await withBroker('socket', true, costUs),
    },
  };
}

interface Bed {
  connect(principal: string): BusConnection;
  /** CPU time of the broker's thread, and what it counted. */
  look(): Promise<{ cpuUs: number; denied: number }>;
  /** Resolves with how many were refused. */
  intrude(messages: number): Promise<number>;
}

/** p99 of round trips of two others, us. */
async function latencyUs({ connect, look, intrude }: Bed): Promise<{ quiet: number; during: number }> {
  const [asker, answerer] = [connect('asker'), connect('answerer')];
  await answerer.subscribe('ask.it', (message) => message.reply(message.payload));
  await trips(asker, (made) => made < 2000);
  const quiet = await trips(asker, (made) => made < QUIET_TRIPS);
  let flooding = true;
  const over = intrude(MESSAGES).finally(() => {
    flooding = false;
  });
  const during = await trips(asker, () => flooding);
  check(MESSAGES, await over, (await look()).denied);
  return { quiet: p99(quiet), during: p99(during) };
}

/** CPU of the broker's thread per denied message, us. */
async function costUs({ look, intrude }: Bed): Promise<number> {
  await intrude(COST_MESSAGES);
  const from = await look();
  const refused = await intrude(COST_MESSAGES);
  const to = await look();
  check(COST_MESSAGES, refused, to.denied - from.denied);
  return (to.cpuUs - from.cpuUs) / COST_MESSAGES;
}

function check(sent: number, refused: number, denied: number): void {
  if (refused === sent && denied === sent) return;
  throw new Error(`${sent} were to be denied, the intruder heard of ${refused}, the broker counted ${denied}`);
}

async function withBroker<T>(wire: 'port' | 'socket', mute: boolean, work: (bed: Bed) => Promise<T>): Promise<T> {
  const dir = mkdtempSync(join(tmpdir(), 'grace-flood-'));
  const socket = join(dir, 'bus.sock');
  const broker = new Worker(new URL('../flood/broker.ts', import.meta.url), { workerData: { mute, socket, key: KEY } });
  const clients: BusConnection[] = [];
  const intruder = { principal: 'intruder', incarnation: 1, messagesPerSecond: 1e6, kernel: false };
  const wirePort = (identity: typeof intruder): MessagePort => {
    const { port1, port2 } = new MessageChannel();
    broker.postMessage({ port: port1, identity }, [port1]);
    return port2;
  };
  const bed: Bed = {
    connect(principal) {
      const client = createBusClient();
      clients.push(client);
      client.attach(wirePort({ ...intruder, principal, kernel: true }));
      return client;
    },
    async look() {
      broker.postMessage('look');
      return (await once(broker, 'message'))[0];
    },
    async intrude(messages) {
      const port = wire === 'port' ? wirePort(intruder) : null;
      const flooder = new Worker(new URL('../flood/intruder.ts', import.meta.url), {
        workerData: { port, socket, token: signBusToken(intruder, KEY), messages },
        transferList: port ? [port] : [],
      });
      const gone = once(flooder, 'exit');
      const [refused] = await once(flooder, 'message');
      await gone;
      return refused;
    },
  };
  try {
    await once(broker, 'message');
    return await work(bed);
  } finally {
    await Promise.all(clients.map((client) => client.close()));
    broker.postMessage('close');
    await once(broker, 'exit');
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Round trips one after the other, us. */
async function trips(asker: BusConnection, more: (made: number) => boolean): Promise<number[]> {
  const took: number[] = [];
  while (more(took.length)) {
    const started = performance.now();
    await asker.request('ask.it', 1, { deadlineMs: 60_000 });
    took.push((performance.now() - started) * 1000);
  }
  return took;
}

function p99(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length * 0.99)]!;
}
