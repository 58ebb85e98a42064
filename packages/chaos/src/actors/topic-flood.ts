import { randomUUID } from 'node:crypto';
import { type BusConnection, createBusClient } from '@grace/bus/client';
import { GraceError, systemClock } from '@grace/contracts';
import { pause } from '../observe/wait.ts';
import { FloodAccount } from './flood-account.ts';
import type { LeaseHold } from './lease-hold.ts';
import { type ActorCounts, type BusAccess, FLOOD_CONSUMER } from './protocol.ts';
import { SlowConsumer } from './slow-consumer.ts';

/** How often what is due is published, when the flood has a pace, ms. */
const PACE_MS = 10;
/** Published in one turn at most, so that answers, timers and standard input have theirs. Without a pace it must be more than is taken meanwhile. */
const TURN = 200;
const UNBOUNDED_TURN = 2000;
/** How long one publish waits for its answer, ms. */
const ANSWER_MS = 3000;
const REPORT_EVERY_MS = 100;
const LOOK_EVERY_MS = 20;

interface FloodOrder {
  subject: string;
  messages: number;
  floodMs: number;
  perSecond: number;
  consumePerSecond: number;
  catchUpPerSecond: number;
}

/**
 * Publishes to a durable subject faster than its one consumer handles, whether the messages are taken or refused, and ends when the flood is
 * over and every message that was accepted has been handled. Both ends count by themselves, so what is lost between them is seen without
 * the broker.
 * @param params `subject`; `messages` or `floodMs`: when the flood ends; `perSecond`: default as fast as it can; `consumePerSecond`: what the
 * consumer handles during the flood (400), `catchUpPerSecond`: afterwards, default the same
 * @throws GraceError `BAD_INPUT`, or what the subscription answers
 */
export async function floodTopic(
  hold: LeaseHold,
  params: Record<string, unknown>,
  access: { publisher: BusAccess; consumer: BusAccess },
  report: { acting: (atMono: number) => void; count: (counts: ActorCounts) => void },
): Promise<ActorCounts> {
  const order = readOrder(params);
  const account = new FloodAccount();
  const pace = new SlowConsumer(order.consumePerSecond);
  /** Tells its messages from those that an earlier drill may have left. */
  const stream = randomUUID();
  const consumer = createBusClient();
  const publisher = createBusClient();
  consumer.dial(access.consumer.socket, access.consumer.token);
  publisher.dial(access.publisher.socket, access.publisher.token);
  let isFlooding = true;
  const counts = (): ActorCounts => ({ ...account.counts(), flooding: isFlooding ? 1 : 0 });
  const timer = setInterval(() => report.count(counts()), REPORT_EVERY_MS);
  try {
    const subscription = await consumer.subscribe(
      order.subject,
      async ({ payload }) => {
        const message = payload as { stream: string; number: number };
        if (message.stream !== stream) return;
        await pace.handle();
        account.handled(message.number);
      },
      { durable: { name: FLOOD_CONSUMER } },
    );
    try {
      report.acting(systemClock.monoMs());
      await publish({ order, account, stream, client: publisher, hold });
      isFlooding = false;
      pace.goOnAt(order.catchUpPerSecond);
      while (!hold.signal.aborted && !account.isSettled) await pause(LOOK_EVERY_MS, hold.signal);
    } finally {
      pace.end();
      // The consumer goes, and with it what still waits for it: nothing of the drill stays on the bus.
      await subscription.unsubscribe();
    }
    return counts();
  } finally {
    clearInterval(timer);
    await Promise.all([publisher.close(), consumer.close()]);
  }
}

interface Publishing {
  order: FloodOrder;
  account: FloodAccount;
  stream: string;
  client: BusConnection;
  hold: LeaseHold;
}

/** Publishes without waiting for answers: a flood does not ask whether it is welcome. */
async function publish(parts: Publishing): Promise<void> {
  const { order, account, hold } = parts;
  const { messages, floodMs, perSecond } = order;
  const fromMono = systemClock.monoMs();
  const elapsedMs = (): number => systemClock.monoMs() - fromMono;
  while (!hold.signal.aborted && account.sent < messages && elapsedMs() < floodMs) {
    const due = perSecond === Infinity ? Infinity : (elapsedMs() / 1000) * perSecond;
    const upTo = Math.min(messages, due, account.sent + (due === Infinity ? UNBOUNDED_TURN : TURN));
    while (account.sent < upTo) send(parts);
    if (perSecond === Infinity) await new Promise((resolve) => setImmediate(resolve));
    else await pause(PACE_MS, hold.signal);
  }
}

function send({ order, account, stream, client }: Publishing): void {
  const number = ++account.sent;
  const sentMono = systemClock.monoMs();
  account.open++;
  client
    .publish(order.subject, { stream, number }, { deadlineMs: ANSWER_MS })
    .then(
      () => {
        account.accepted(number);
        account.slowestMs = Math.max(account.slowestMs, Math.round(systemClock.monoMs() - sentMono));
      },
      (error: unknown) => {
        const code = error instanceof GraceError ? error.code : null;
        if (code === 'BUS_OVERLOADED') account.overloaded++;
        else if (code === 'BUS_DEADLINE' || code === 'BUS_CLOSED') account.unknown++;
        else account.refused++;
      },
    )
    .finally(() => {
      account.open--;
    });
}

function readOrder(params: Record<string, unknown>): FloodOrder {
  const { subject } = params;
  if (typeof subject !== 'string') throw new GraceError('BAD_INPUT', 'params.subject: expected a subject of the bus');
  const above = (name: string, otherwise: number): number => {
    const value = params[name] ?? otherwise;
    if (typeof value === 'number' && value > 0) return value;
    throw new GraceError('BAD_INPUT', `params.${name}: expected a number above 0, got ${JSON.stringify(value)}`);
  };
  const messages = above('messages', Infinity);
  const floodMs = above('floodMs', Infinity);
  if (messages === Infinity && floodMs === Infinity)
    throw new GraceError('BAD_INPUT', 'params: expected messages or floodMs, so that the flood has an end');
  const consumePerSecond = above('consumePerSecond', 400);
  return {
    ...{ subject, messages, floodMs, consumePerSecond },
    perSecond: above('perSecond', Infinity),
    catchUpPerSecond: above('catchUpPerSecond', consumePerSecond),
  };
}
