import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createBusClient } from '@grace/bus/client';
import type { BusStatistics } from '@grace/contracts';
import { signBusToken } from '@grace/control';
import { poll } from '@grace/testkit';
import { identity, KEY } from '../bed.ts';

const KILLS = 8;
const DEADLINE_MS = 60_000;

/** A broker to be killed, and what its port client was told is accepted. */
class Victim {
  readonly acceptedNear = new Set<number>();
  #child: ChildProcess | undefined;
  #lives = 0;
  readonly #socket: string;
  readonly #dir: string;
  statistics: BusStatistics | undefined;

  constructor(home: string) {
    this.#socket = join(home, 'bus.sock');
    this.#dir = home;
  }

  async start(isNearQuiet = false): Promise<void> {
    const file = new URL('../fixtures/keeping-broker-process.ts', import.meta.url);
    const first = isNearQuiet ? 'none' : String(++this.#lives * 100_000);
    const child = fork(file, [this.#socket, KEY.toString('hex'), this.#dir, first]);
    this.#child = child;
    const listening = new Promise((resolve) => {
      child.on('message', (message: string | { accepted: number[] } | { statistics: BusStatistics }) => {
        if (typeof message === 'string') resolve(undefined);
        else if ('statistics' in message) this.statistics = message.statistics;
        else for (const number of message.accepted) this.acceptedNear.add(number);
      });
    });
    await listening;
  }

  async kill(): Promise<void> {
    const child = this.#child!;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  async read(): Promise<BusStatistics> {
    this.statistics = undefined;
    this.#child!.send('statistics');
    return await poll('statistics came', () => this.statistics, { everyMs: 10 });
  }
}

test('killed at any moment, over and over: nothing accepted is lost, on either wire, and nothing comes after its committed acknowledgement', async (t) => {
  const home = mkdtempSync(join(tmpdir(), 'grace-durable-'));
  const victim = new Victim(home);
  await victim.start();
  const [publisher, subscriber] = [createBusClient({ outboxLimit: 100_000 }), createBusClient()];
  t.after(async () => {
    await Promise.all([publisher.close(), subscriber.close()]);
    await victim.kill();
    rmSync(home, { recursive: true, force: true });
  });
  publisher.dial(join(home, 'bus.sock'), signBusToken(identity('far'), KEY));
  subscriber.dial(join(home, 'bus.sock'), signBusToken(identity('subscriber'), KEY));

  const handled = new Map<number, number>();
  const committed = new Set<number>();
  const wrong: string[] = [];
  const last: Record<string, number> = {};
  await subscriber.subscribe(
    'task.*',
    (message) => {
      const number = message.payload as number;
      if (committed.has(number)) wrong.push(`${number} came after its acknowledgement was on disk`);
      if (handled.has(number) && message.attempt === 1) wrong.push(`${number} came again as if for the first time`);
      if (!handled.has(number)) {
        if (number < (last[message.from] ?? 0))
          wrong.push(`${number} of ${message.from} came after ${last[message.from]}`);
        last[message.from] = number;
      }
      handled.set(number, (handled.get(number) ?? 0) + 1);
      message.confirmed().then(
        () => committed.add(number),
        () => {},
      );
    },
    { deadlineMs: DEADLINE_MS },
  );

  const acceptedFar = new Set<number>();
  const failed: unknown[] = [];
  const sent: Promise<void>[] = [];
  let number = 0;
  const flow = setInterval(() => {
    for (let i = 0; i < 10; i++) {
      const n = number++;
      sent.push(
        publisher.publish('task.far', n, { deadlineMs: DEADLINE_MS }).then(
          () => void acceptedFar.add(n),
          (error) => void failed.push(error),
        ),
      );
    }
  }, 10);
  t.after(() => clearInterval(flow));
  for (let kills = 0; kills < KILLS; kills++) {
    const handledBefore = handled.size;
    await poll('the flow is there', () => handled.size > handledBefore, { everyMs: 5, deadlineMs: DEADLINE_MS });
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 150));
    await victim.kill();
    await victim.start();
  }
  clearInterval(flow);
  await Promise.all(sent);
  // The port client ends with its process; what it was told is accepted must come all the same.
  await victim.kill();
  await victim.start(true);
  const missing = (): number[] => [...acceptedFar, ...victim.acceptedNear].filter((n) => !handled.has(n));
  await poll('everything accepted was handled', () => missing().length === 0, { deadlineMs: DEADLINE_MS, everyMs: 20 });
  assert.deepEqual(failed, []);
  assert.equal(acceptedFar.size, number);
  assert.ok(victim.acceptedNear.size > 0);
  assert.deepEqual(wrong, []);
  await poll('all is acknowledged', async () => (await victim.read()).waiting === 0, { deadlineMs: DEADLINE_MS });
  const { accepted, handled: done, rejected, expired, deadLettered } = await victim.read();
  assert.equal(accepted, done + rejected + expired + deadLettered);
});
