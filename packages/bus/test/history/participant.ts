import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BusClient, Message, SubscribeOptions } from '@grace/bus/client';
import { BACKOFF_MS, type Consumer, MAX_ATTEMPTS, type Part } from './cast.ts';
import { type Handling, isDurable } from './entries.ts';
import { draw } from './random.ts';
import { openRecord, type Record } from './recorder.ts';
import { startTraffic } from './traffic.ts';

/** What a participant is told at its start. */
export interface Plan {
  /** Where histories are written; outside of the system's home. */
  folder: string;
  seed: number;
  /** Between two publishes of one participant. */
  tickMs: number;
  part: Part;
}

/** While this file is not there, everybody publishes. */
export const QUIET = 'quiet';
const LOOK_EVERY_MS = 50;
const BEAT_MS = 100;
/** What a subscription is refused with while the broker is away. */
const AWAY = new Set(['BUS_DEADLINE', 'BUS_CLOSED']);

/** Names of the files by which the run learns how far a life is. */
export const marker = (who: string, life: number, what: 'up' | 'quiet'): string => `${who}.${life}.${what}`;

/** Publishes, subscribes and writes everything down, until `signal` is aborted or the process dies. */
export function participate(bus: BusClient, who: string, life: number, plan: Plan, signal: AbortSignal): void {
  const { folder, seed, tickMs, part } = plan;
  const record = openRecord(folder, who, life);
  record({ e: 'begin', pid: process.pid, plan: part.consumers.map(({ name }) => name).join(' ') });
  const traffic = startTraffic({ bus, who, life, seed, tickMs, part, record });
  void Promise.all(part.consumers.map((consumer) => keepAsking(bus, who, life, seed, consumer, record, signal))).then(
    () => writeFileSync(join(folder, marker(who, life, 'up')), ''),
  );
  const beat = setInterval(() => {
    if (bus.connected) record({ e: 'beat', wire: bus.counters().reconnects });
  }, BEAT_MS);
  const look = setInterval(() => {
    if (!existsSync(join(folder, QUIET))) return;
    clearInterval(look);
    void traffic.end().then((published) => {
      record({ e: 'quiet', published });
      writeFileSync(join(folder, marker(who, life, 'quiet')), '');
    });
  }, LOOK_EVERY_MS);
  signal.addEventListener('abort', () => {
    clearInterval(beat);
    clearInterval(look);
    void traffic.end();
  });
}

/** A broker that is away is no reason to give up. */
async function keepAsking(
  bus: BusClient,
  who: string,
  life: number,
  seed: number,
  consumer: Consumer,
  record: Record,
  signal: AbortSignal,
): Promise<void> {
  const { name, kind, pattern } = consumer;
  const c = consumerName(who, life, consumer);
  const handler = makeHandler(bus, c, seed, consumer, record);
  const durable = { name, backoffMs: BACKOFF_MS, maxAttempts: MAX_ATTEMPTS, ordered: kind === 'durable-ordered' };
  const options: SubscribeOptions = {
    ...(kind.endsWith('group') ? { queue: name } : {}),
    ...(isDurable(kind) ? { durable } : {}),
  };
  for (;;) {
    try {
      await bus.subscribe(pattern, handler, { ...options, deadlineMs: 2000 });
      record({ e: 'subscribed', c, pattern, kind, member: who });
      return;
    } catch (error) {
      if (signal.aborted) return;
      if (!AWAY.has((error as { code?: string }).code ?? '')) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

/** As the broker names it; a plain subscription is another one in each life. */
function consumerName(who: string, life: number, { name, kind }: Consumer): string {
  switch (kind) {
    case 'durable':
    case 'durable-ordered':
      return `${who}/${name}`;
    case 'durable-group':
      return `${name}@${name}`;
    case 'plain':
      return `${who}.${life}/${name}`;
    case 'plain-group':
      return name;
  }
}

/** What a handler does with a delivery is decided by the seed, the message, the consumer and the attempt. */
function makeHandler(bus: BusClient, c: string, seed: number, consumer: Consumer, record: Record) {
  const { name, kind, slowMs, nakShare, isPoisoned } = consumer;
  return (message: Message): void | Promise<void> => {
    const { key, n, isPoison } = message.payload as { key: string; n: number; isPoison: boolean };
    const a = message.attempt;
    const handling: Handling = { key, c, a, wire: bus.counters().reconnects };
    record({ e: 'deliver', ...handling, s: message.subject, n, from: message.from });
    const isRefused = (isPoison && isPoisoned) || draw(seed, name, key, a) < nakShare;
    if (!isRefused && isDurable(kind)) {
      message.confirmed().then(
        () => record({ e: 'confirmed', ...handling }),
        () => {},
      );
    }
    const end = (): void => {
      if (!isRefused) {
        record({ e: 'handled', ...handling });
        return;
      }
      record({ e: 'nak', ...handling });
      throw new Error('refused on purpose');
    };
    const workMs = slowMs === 0 ? 0 : Math.floor(draw(seed, 'work', name, key, a) * slowMs);
    if (workMs === 0) return end();
    return new Promise((resolve, reject) => {
      setTimeout(() => {
        try {
          resolve(end());
        } catch (error) {
          reject(error);
        }
      }, workMs);
    });
  };
}
