import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import type { BusConnection, Subscription } from '@grace/bus/client';
import { PRIORITIES } from '@grace/contracts';
import { poll } from '@grace/testkit';
import fc from 'fast-check';
import { type Bed, createBed, WIRES } from '../bed.ts';
import { assertBalanced } from './bed.ts';

const SUBJECTS = ['task.a', 'task.b', 'incident.open', 'plain.x'] as const;
const PATTERNS = ['task.a', 'task.*', '>', 'incident.*'] as const;

type Step =
  | { do: 'publish'; client: number; subject: number; priority: number; count: number; short: boolean }
  | { do: 'subscribe'; client: number; pattern: number; queue: boolean; behaviour: number; ordered: boolean }
  | { do: 'unsubscribe'; which: number }
  | { do: 'release' | 'restart' | 'replay' | 'check' }
  | { do: 'join'; wire: (typeof WIRES)[number] }
  | { do: 'leave'; client: number };

const small = fc.nat({ max: 4 });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('publish' as const),
      client: small,
      subject: fc.nat({ max: SUBJECTS.length - 1 }),
      priority: fc.nat({ max: 2 }),
      count: fc.constantFrom(1, 7, 60, 400),
      short: fc.boolean(),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('subscribe' as const),
      client: small,
      pattern: fc.nat({ max: PATTERNS.length - 1 }),
      queue: fc.boolean(),
      behaviour: fc.nat({ max: 2 }),
      ordered: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('unsubscribe' as const), which: small }) },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constantFrom('release', 'restart', 'replay', 'check', 'check' as const) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('join' as const), wire: fc.constantFrom(...WIRES) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('leave' as const), client: small }) },
);

class Schedule {
  readonly dir = mkdtempSync(join(tmpdir(), 'grace-durable-'));
  bed!: Bed;
  clients: BusConnection[] = [];
  subscriptions: Subscription[] = [];
  readonly stuck: (() => void)[] = [];
  readonly answers: Promise<unknown>[] = [];
  accepted = 0;
  #names = 0;

  async run(steps: readonly Step[]): Promise<void> {
    await this.#start();
    for (const next of steps) await this.#take(next);
    const opening = setInterval(() => this.#release(), 1);
    try {
      await Promise.all(this.answers);
      const last = await this.bed.connect('port', 'last');
      let got = 0;
      await last.subscribe('>', () => void got++);
      for (const { name, members } of this.bed.broker.consumers())
        if (members === 0) await this.bed.broker.forget(name);
      await poll('everything is settled', () => this.bed.broker.statistics().waiting === 0, {
        everyMs: 5,
        deadlineMs: 30_000,
      });
      assertBalanced(this.bed);
    } finally {
      clearInterval(opening);
    }
  }

  async close(): Promise<void> {
    await this.bed.close();
    rmSync(this.dir, { recursive: true, force: true });
  }

  async #start(): Promise<void> {
    this.bed = await createBed({ durable: { dir: this.dir, backoffMs: [1], maxAttempts: 3 } });
    await this.bed.broker.open();
    assertBalanced(this.bed);
    for (const wire of WIRES) await this.#take({ do: 'join', wire });
  }

  async #take(next: Step): Promise<void> {
    const client = 'client' in next ? this.clients[next.client % this.clients.length] : undefined;
    switch (next.do) {
      case 'publish':
        for (let i = 0; client && i < next.count; i++) {
          const options = {
            priority: PRIORITIES[next.priority]!,
            deadlineMs: 5000,
            ...(next.short && { lifetimeMs: 2 }),
          };
          this.answers.push(client.publish(SUBJECTS[next.subject]!, i, options).catch(() => {}));
        }
        return;
      case 'subscribe':
        if (client) await this.#subscribe(client, next);
        return;
      case 'unsubscribe':
        await this.subscriptions.splice(next.which, 1)[0]?.unsubscribe();
        return;
      case 'release':
        this.#release();
        return;
      case 'restart':
        await this.bed.close();
        this.clients = [];
        this.subscriptions = [];
        await this.#start();
        return;
      case 'replay':
        await this.bed.broker.replay({});
        return;
      case 'join':
        this.clients.push(await this.bed.connect(next.wire, `client${this.#names++ % 6}`, { creditMessages: 8 }));
        return;
      case 'leave':
        if (client && this.clients.length > 1) {
          this.clients.splice(this.clients.indexOf(client), 1);
          await client.close();
        }
        return;
      case 'check':
        await new Promise((resolve) => setImmediate(resolve));
        assertBalanced(this.bed);
        return;
    }
  }

  async #subscribe(client: BusConnection, next: Extract<Step, { do: 'subscribe' }>): Promise<void> {
    const handler = (): void | Promise<void> => {
      if (next.behaviour === 0) return;
      if (next.behaviour === 1) throw new Error('rejected');
      return new Promise((resolve) => this.stuck.push(resolve));
    };
    const options = {
      durable: { ordered: next.ordered && next.behaviour === 0 },
      deadlineMs: 60_000,
      ...(next.queue && { queue: 'group' }),
    };
    this.subscriptions.push(await client.subscribe(PATTERNS[next.pattern]!, handler, options));
  }

  #release(): void {
    for (const go of this.stuck.splice(0)) go();
  }
}

test('what is accepted and durable is handled, rejected, expired, dead or waiting, at any time and through restarts, whatever happens', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 8, maxLength: 25 }), async (steps) => {
      const schedule = new Schedule();
      try {
        await schedule.run(steps);
      } finally {
        await schedule.close();
      }
    }),
    { numRuns: 12, endOnFailure: true, ...(process.env['SEED'] ? { seed: Number(process.env['SEED']) } : {}) },
  );
});
