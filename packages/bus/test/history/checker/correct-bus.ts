import { type ConsumerKind, type Entry, isDurable } from '../entries.ts';
import { Random } from '../random.ts';

/** In the model every acknowledgement is committed after this long, µs: well within the window of the checker. */
const COMMITTED_US = 2_500_000;
const MAX_ATTEMPTS = 3;
const SUBJECTS = ['task.history.a', 'task.history.b', 'history.normal.a'];

interface Kept {
  key: string;
  a: number;
  state: 'waiting' | 'sent' | 'acknowledged' | 'settled';
  who: string;
  endedAt: number;
}

interface Consumer {
  c: string;
  kind: ConsumerKind;
  members: readonly string[];
  pattern: string;
  kept: Kept[];
}

interface Message {
  key: string;
  s: string;
  n: number;
  from: string;
}

/** A bus that keeps every promise, small enough to be seen to: it writes the histories that the checker must accept. */
export class CorrectBus {
  readonly entries: Entry[] = [];
  readonly #random: Random;
  readonly #lives = new Map<string, { life: number; wire: number }>();
  readonly #lines = new Map<string, number>();
  readonly #numbers = new Map<string, number>();
  readonly #messages = new Map<string, Message>();
  readonly #consumers: Consumer[] = [];
  readonly #dead: { c: string; key: string; attempts: number }[] = [];
  #t = 1_000_000;
  #serial = 0;
  #handled = 0;

  constructor(seed: number) {
    this.#random = new Random(seed);
    this.#write('run', { e: 'seed', seed, kinds: ['broker_kill'], schedule: [] });
    for (const who of ['ann', 'bob']) this.#begin(who, 1);
    this.#subscribe('ann/all', 'durable', ['ann'], 'task.history.*');
    this.#subscribe('bob/one', 'durable-ordered', ['bob'], 'task.history.*');
    this.#subscribe('work@work', 'durable-group', ['ann', 'bob'], 'task.>');
    this.#subscribe('bob.1/hear', 'plain', ['bob'], 'history.*.*');
    this.#subscribe('share', 'plain-group', ['ann', 'bob'], 'history.normal.*');
  }

  publish(): void {
    const random = this.#random;
    const from = random.pick(['ann', 'bob'])!;
    const { life } = this.#lives.get(from)!;
    const s = random.pick(SUBJECTS)!;
    const key = `${from}.${life}.${++this.#serial}`;
    const n = (this.#numbers.get(`${from}.${life} ${s}`) ?? 0) + 1;
    this.#numbers.set(`${from}.${life} ${s}`, n);
    const durable = s.startsWith('task.');
    const fate = random.next();
    this.#write(from, { e: 'invoke', key, s, n, durable, again: false });
    const answer = (code?: string): void =>
      this.#write(from, code === undefined ? { e: 'ok', key } : { e: 'fail', key, code });
    if (fate < 0.1) {
      answer(fate < 0.05 ? random.pick(REFUSALS) : 'BUS_DEADLINE');
      return;
    }
    this.#messages.set(key, { key, s, n, from });
    for (const { kind, pattern, kept } of this.#consumers) {
      if (durable === isDurable(kind) && s.startsWith(pattern.split('.')[0]!))
        kept.push({ key, a: 0, state: 'waiting', who: '', endedAt: 0 });
    }
    answer(fate < 0.15 ? 'BUS_DEADLINE' : undefined);
    if (fate < 0.13 || fate >= 0.15) return;
    // Said again with the same id: known, and accepted without being delivered again.
    this.#write(from, { e: 'invoke', key, s, n, durable, again: true });
    answer();
  }

  /** The next message of some consumer goes to one of its members; false when there is none. */
  deliver(): boolean {
    for (const consumer of this.#random.shuffle(this.#consumers)) {
      const next = this.#next(consumer);
      if (!next) continue;
      this.#send(consumer, next);
      return true;
    }
    return false;
  }

  /** Some handler ends; false when none is under way. */
  end(nakShare = 0.2): boolean {
    for (const consumer of this.#random.shuffle(this.#consumers)) {
      const sent = consumer.kept.filter(({ state }) => state === 'sent');
      if (sent.length === 0) continue;
      const isRefused = isDurable(consumer.kind) && this.#random.next() < nakShare;
      this.#end(consumer, this.#random.pick(sent)!, isRefused);
      return true;
    }
    return false;
  }

  /** Time passes, and everybody says that the wire is alive. */
  wait(ms: number): void {
    this.#t += ms * 1000;
    this.#commit();
    for (const [who, { wire }] of this.#lives) this.#write(who, { e: 'beat', wire });
  }

  /** A participant is killed and comes back. */
  kill(who: string): void {
    this.#break(who);
    this.#begin(who, this.#lives.get(who)!.life + 1);
    this.#t += 100_000;
    for (const consumer of this.#consumers.filter(({ members }) => members.includes(who))) {
      // A plain subscription dies with its subscriber.
      if (consumer.kind === 'plain') {
        consumer.c = `${who}.${this.#lives.get(who)!.life}/hear`;
        consumer.kept = [];
      }
      this.#confirm(consumer, who);
    }
  }

  /** The broker is killed and comes back: every wire breaks, and of normal messages nothing is kept. */
  killBroker(): void {
    const strike = this.entries.filter(({ e }) => e === 'strike').length;
    this.#write('run', { e: 'strike', strike, kind: 'broker_kill', target: 'core' });
    for (const [who, lived] of this.#lives) {
      this.#break(who);
      lived.wire++;
    }
    for (const consumer of this.#consumers) if (!isDurable(consumer.kind)) consumer.kept = [];
    this.#write('run', { e: 'bit', strike, evidence: 'gone' });
    this.#t += 200_000;
  }

  /** Nothing is done any more; everything is settled, and the broker closes its books. */
  finish(): Entry[] {
    this.#write('run', { e: 'calm' });
    for (let i = 0; i < 20; i++) this.publish();
    while (this.#consumers.some(({ kept }) => kept.some(({ state }) => state === 'waiting' || state === 'sent'))) {
      const isDelivered = this.deliver();
      // What holds up an ordered consumer is an acknowledgement on its way.
      if (!this.end(0.1) && !isDelivered) this.wait(1000);
    }
    this.wait(5000);
    for (const who of this.#lives.keys()) this.#write(who, { e: 'quiet', published: this.#serial });
    for (const { c, key, attempts } of this.#dead)
      this.#write('run', { e: 'dead', c, key, attempts, reason: 'rejected' });
    const deadLettered = this.#dead.length;
    const total = {
      accepted: this.#handled + deadLettered,
      handled: this.#handled,
      rejected: 0,
      expired: 0,
      deadLettered,
      waiting: 0,
    };
    const account = { total, families: { task: total }, dead: deadLettered };
    this.#write('run', { e: 'account', last: true, account });
    return this.entries;
  }

  /** To an ordered consumer nothing while one before of the same publisher and subject is not settled. */
  #next({ kind, kept }: Consumer): Kept | undefined {
    if (kind !== 'durable-ordered') return kept.find(({ state }) => state === 'waiting');
    const held = new Set<string>();
    return kept.find(({ key, state }) => {
      const { from, s } = this.#messages.get(key)!;
      if (state === 'waiting' && !held.has(`${from} ${s}`)) return true;
      if (state !== 'settled') held.add(`${from} ${s}`);
      return false;
    });
  }

  #begin(who: string, life: number): void {
    this.#lives.set(who, { life, wire: 0 });
    this.#lines.set(`${who}.${life}`, 0);
    this.#write(who, { e: 'begin', pid: 1, plan: '' });
  }

  #subscribe(c: string, kind: ConsumerKind, members: readonly string[], pattern: string): void {
    const consumer = { c, kind, members, pattern, kept: [] };
    this.#consumers.push(consumer);
    for (const who of members) this.#confirm(consumer, who);
  }

  #confirm({ c, kind, pattern }: Consumer, who: string): void {
    this.#write(who, { e: 'subscribed', c, kind, pattern, member: who });
  }

  #send({ c, members }: Consumer, kept: Kept): void {
    const who = this.#random.pick(members)!;
    const { s, n, from, key } = this.#messages.get(kept.key)!;
    kept.state = 'sent';
    kept.who = who;
    kept.a++;
    this.#write(who, { e: 'deliver', key, c, a: kept.a, wire: this.#lives.get(who)!.wire, s, n, from });
  }

  #end(consumer: Consumer, kept: Kept, isRefused: boolean): void {
    const { c } = consumer;
    const { key, a, who } = kept;
    this.#write(who, { e: isRefused ? 'nak' : 'handled', key, c, a, wire: this.#lives.get(who)!.wire });
    kept.endedAt = this.#t;
    if (!isRefused) {
      kept.state = 'acknowledged';
      this.#handled++;
      if (this.#random.next() < 0.6) this.#settle(consumer, kept);
    } else if (a < MAX_ATTEMPTS) kept.state = 'waiting';
    else {
      kept.state = 'settled';
      this.#dead.push({ c, key, attempts: a });
    }
  }

  #commit(): void {
    for (const consumer of this.#consumers)
      for (const one of consumer.kept)
        if (one.state === 'acknowledged' && this.#t > one.endedAt + COMMITTED_US) this.#settle(consumer, one);
  }

  #settle({ c, kind }: Consumer, kept: Kept): void {
    kept.state = 'settled';
    const { key, a, who } = kept;
    if (isDurable(kind)) this.#write(who, { e: 'confirmed', key, c, a, wire: this.#lives.get(who)!.wire });
  }

  /** What was sent on the wire comes again; so does what was acknowledged, unless that was committed. */
  #break(who: string): void {
    this.#commit();
    for (const { kind, kept } of this.#consumers) {
      for (const one of kept) {
        if (one.who !== who || (one.state !== 'sent' && one.state !== 'acknowledged')) continue;
        const isCommitted = one.state === 'acknowledged' && (!isDurable(kind) || this.#random.next() < 0.7);
        if (one.state === 'acknowledged' && !isCommitted) this.#handled--;
        one.state = isCommitted ? 'settled' : 'waiting';
      }
    }
  }

  #write(who: string, entry: object): void {
    this.#t += this.#random.whole(1, 3000);
    const life = this.#lives.get(who)?.life ?? 0;
    const line = (this.#lines.get(`${who}.${life}`) ?? 0) + 1;
    this.#lines.set(`${who}.${life}`, line);
    this.entries.push({ ...entry, t: this.#t, w: 0, who, life, line } as Entry);
  }
}

const REFUSALS = ['BUS_DENIED', 'BUS_TOO_LARGE', 'BUS_BAD_SUBJECT'];
