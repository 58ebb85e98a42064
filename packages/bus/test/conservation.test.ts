import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BusConnection, Subscription } from '@grace/bus/client';
import { PRIORITIES } from '@grace/contracts';
import { poll } from '@grace/testkit';
import fc from 'fast-check';
import { type Account, Accounts } from '../src/broker/accounts.ts';
import { type Bed, createBed, isBalanced, rules, WIRES, type WireKind } from './bed.ts';

const SUBJECTS = ['task.a', 'task.b', 'telemetry.x', 'incident.open', 'denied.x'] as const;
const PATTERNS = ['task.a', 'task.*', '>', 'telemetry.>', 'incident.*'] as const;
const ACL = { kernels: rules(['>'], ['>'], { publish: ['denied.>'] }), principals: {} };

type Step =
  | { do: 'publish'; client: number; subject: number; priority: number; count: number }
  | { do: 'request'; client: number; subject: number }
  | { do: 'subscribe'; client: number; pattern: number; queue: boolean; behaviour: number }
  | { do: 'unsubscribe'; which: number }
  | { do: 'release' }
  | { do: 'join'; wire: WireKind }
  | { do: 'leave'; client: number }
  | { do: 'check' };

const small = fc.nat({ max: 5 });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('publish' as const),
      client: small,
      subject: fc.nat({ max: SUBJECTS.length - 1 }),
      priority: fc.nat({ max: 2 }),
      count: fc.constantFrom(1, 7, 300, 2500),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('request' as const),
      client: small,
      subject: fc.nat({ max: SUBJECTS.length - 1 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant('subscribe' as const),
      client: small,
      pattern: fc.nat({ max: PATTERNS.length - 1 }),
      queue: fc.boolean(),
      behaviour: fc.nat({ max: 3 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('unsubscribe' as const), which: small }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('release' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('join' as const), wire: fc.constantFrom(...WIRES) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('leave' as const), client: small }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('check' as const) }) },
);

/** Every family, and the whole, adds up at this moment. */
function assertBalanced(bed: Bed): void {
  const statistics = bed.broker.statistics();
  assert.ok(isBalanced(statistics), JSON.stringify(statistics));
  for (const [family, account] of Object.entries(statistics.families)) {
    assert.ok(isBalanced(account), `${family}: ${JSON.stringify(account)}`);
  }
}

class Schedule {
  readonly bed: Bed;
  readonly clients: BusConnection[] = [];
  readonly subscriptions: Subscription[] = [];
  readonly stuck: (() => void)[] = [];
  readonly answers: Promise<unknown>[] = [];
  accepted = 0;
  refused = 0;

  constructor(bed: Bed) {
    this.bed = bed;
  }

  async run(steps: readonly Step[]): Promise<void> {
    // As the broker itself looks: in a task of its own, whatever is under way.
    const looks = setInterval(() => assertBalanced(this.bed), 1);
    try {
      await this.#run(steps);
    } finally {
      clearInterval(looks);
    }
  }

  async #run(steps: readonly Step[]): Promise<void> {
    for (const next of steps) await this.#take(next);
    this.#release();
    const opening = setInterval(() => this.#release(), 1);
    await Promise.all(this.answers);
    await poll('everything is settled', () => this.bed.broker.statistics().waiting === 0, { everyMs: 5 });
    clearInterval(opening);
    assertBalanced(this.bed);
    const published = Object.values(this.bed.broker.statistics().principals).reduce(
      (sum, one) => sum + one.published,
      0,
    );
    assert.ok(published >= this.accepted, `${published} published, clients know of ${this.accepted}`);
  }

  async #take(next: Step): Promise<void> {
    const client = 'client' in next ? this.clients[next.client % Math.max(1, this.clients.length)] : undefined;
    switch (next.do) {
      case 'publish':
        for (let i = 0; client && i < next.count; i++) {
          const priority = PRIORITIES[next.priority]!;
          this.#count(client.publish(SUBJECTS[next.subject]!, i, { priority, deadlineMs: 150 }));
        }
        return;
      case 'request':
        if (client) this.#count(client.request(SUBJECTS[next.subject]!, 'asked', { deadlineMs: 150 }));
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
      case 'join':
        this.clients.push(await this.bed.connect(next.wire, `client${this.clients.length}`, { creditMessages: 8 }));
        return;
      case 'leave':
        if (client) await client.close();
        this.clients.splice(this.clients.indexOf(client!), client ? 1 : 0);
        return;
      case 'check':
        await new Promise((resolve) => setImmediate(resolve));
        assertBalanced(this.bed);
        return;
    }
  }

  #count(sent: Promise<unknown>): void {
    this.answers.push(
      sent.then(
        () => void this.accepted++,
        () => void this.refused++,
      ),
    );
  }

  async #subscribe(
    client: BusConnection,
    { pattern, queue, behaviour }: Extract<Step, { do: 'subscribe' }>,
  ): Promise<void> {
    const subscription = await client.subscribe(
      PATTERNS[pattern]!,
      (message) => {
        if (behaviour === 0) return;
        if (behaviour === 1) throw new Error('rejected');
        if (behaviour === 2) message.reply('answered');
        return new Promise((resolve) => this.stuck.push(resolve));
      },
      queue ? { queue: 'group' } : {},
    );
    this.subscriptions.push(subscription);
  }

  #release(): void {
    for (const go of this.stuck.splice(0)) go();
  }
}

test('accepted = handled + rejected + expired + dead-lettered + waiting, at any time, whatever happens', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 10, maxLength: 40 }), async (steps) => {
      const bed = await createBed({
        acl: ACL,
        mute: { enabled: true, threshold: 500, windowMs: 1000, periodMs: 20, periodMaxMs: 40 },
      });
      try {
        const schedule = new Schedule(bed);
        const joins: Step[] = [
          { do: 'join', wire: 'port' },
          { do: 'join', wire: 'socket' },
        ];
        await schedule.run([...joins, ...steps]);
      } finally {
        await bed.close();
      }
    }),
    { numRuns: 25 },
  );
});

test('an account that is made wrong is reported by the broker itself, once, and once more when it is right again', async (t) => {
  const accounts: Account[] = [];
  const of = Accounts.prototype.of;
  t.mock.method(Accounts.prototype, 'of', function (this: Accounts, subject: string) {
    const account = of.call(this, subject);
    if (subject === 'task.a') accounts.push(account);
    return account;
  });
  const bed = await createBed();
  t.after(() => bed.close());
  const client = await bed.connect('port', 'client');
  await client.publish('task.a', 1);
  const told = () => bed.events.filter(({ type }) => type === 'unbalanced' || type === 'balanced');
  assert.deepEqual([told(), bed.broker.statistics().unbalanced], [[], []]);
  accounts[0]!.handled--;
  await poll('it is noticed', () => told().length > 0);
  const totals = { accepted: 1, handled: 0, rejected: 0, expired: 0, deadLettered: 0, waiting: 0, denied: 0 };
  const wrong = { family: 'task', ...totals, difference: 1 };
  assert.deepEqual(bed.broker.statistics().unbalanced, [wrong]);
  accounts[0]!.handled++;
  await poll('it adds up again', () => told().length > 1);
  assert.deepEqual(told(), [
    { type: 'unbalanced', ...wrong },
    { type: 'balanced', family: 'task', unbalanced: 0 },
  ]);
  assert.deepEqual(bed.broker.statistics().unbalanced, []);
});
