import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import type { Clock } from '@grace/contracts';
import { createStore, type KernelContext } from '@grace/kernel-sdk';
import { Cron } from 'croner';
import fc from 'fast-check';
import { createCalendar } from './jobs/calendar.ts';
import type { Job, MissedPolicy, OverlapPolicy } from './jobs/job.ts';
import { type Claims, createClaims, RUN_TABLES, type Run, STRETCH_COLUMNS } from './runs/claims.ts';
import { createRunner, type Runner } from './runs/runner.ts';
import { createTimetable, type Timetable } from './timetable.ts';

const MINUTE = 60_000;
const HOUR = 3_600_000;
const DAY = 86_400_000;
/** A clock that is set back further than claims are kept may repeat; the promise ends there. */
const BACK_MAX_MS = 1.9 * DAY;

const scratch = mkdtempSync(join(tmpdir(), 'grace-scheduler-'));
after(() => rmSync(scratch, { recursive: true, force: true }));

/** What one attempt comes to. `killed before`, `killed after`: the process dies in it, before or after the message went out. */
type Fate = 'ok' | 'fails' | 'hangs' | 'killed before' | 'killed after';

type Step =
  | { do: 'go on'; ms: number }
  | { do: 'set the clock'; ms: number }
  | { do: 'kill and start'; awayMs: number; setMs: number }
  | { do: 'run by hand' }
  | { do: 'end what hangs' };

interface Process {
  timetable: Timetable;
  claims: Claims;
  isDead: boolean;
  close(): void;
}

/**
 * The real timetable, runner and store under a clock of its own. A kill closes the database under the process, so that it can write nothing
 * any more, in the middle of whatever it does.
 */
class World {
  wallMs: number;
  monoMs = 0;
  maxMs: number;
  readonly job: Job;
  /** What went out: key and run of each. */
  readonly sent: { key: string; id: string }[] = [];
  /** Stretches of wall time that were looked at, by a model that knows nothing of the scheduler. */
  readonly seen: [fromMs: number, toMs: number][] = [];
  #positionMs: number;
  #fates: Iterator<Fate>;
  readonly #dir = mkdtempSync(join(scratch, 'home-'));
  #hanging: (() => void)[] = [];
  #live: Process | undefined;

  constructor(job: Job, fates: Fate[]) {
    this.job = job;
    this.wallMs = job.createdMs;
    this.maxMs = job.createdMs;
    this.#positionMs = job.createdMs;
    this.#fates = fates[Symbol.iterator]();
  }

  start(): void {
    const store = createStore(this.#dir);
    store.db.exec('PRAGMA synchronous = OFF');
    store.migrate([RUN_TABLES, STRETCH_COLUMNS]);
    const ending = new AbortController();
    const clock: Clock = { wallMs: () => this.wallMs, monoMs: () => this.monoMs };
    const log = { trace() {}, debug() {}, info() {}, warn() {}, error() {} };
    const live = { isDead: false } as Process;
    const die = (): void => {
      live.isDead = true;
      store.close();
    };
    const publish = (_: string, __: unknown, options: { correlation: string; id: string }): Promise<unknown> => {
      const { value: fate = 'ok' } = this.#fates.next();
      if (fate === 'killed before') die();
      else this.sent.push({ key: options.correlation, id: options.id });
      if (fate === 'killed after') die();
      if (fate === 'fails') return Promise.reject(new Error('refused'));
      if (fate === 'ok') return Promise.resolve();
      return new Promise((resolve) => this.#hanging.push(() => resolve(undefined)));
    };
    const ctx = { clock, log, signal: ending.signal, store, bus: { publish } } as unknown as KernelContext;
    live.claims = createClaims(store);
    let runner: Runner | undefined;
    live.timetable = createTimetable(ctx, live.claims, (onEnd) => {
      runner = createRunner(ctx, live.claims, onEnd);
      return runner;
    });
    live.close = () => {
      ending.abort();
      live.timetable.close();
      store.close();
    };
    this.#hanging = [];
    this.#live = live;
    live.timetable.open();
    if (!live.isDead && live.timetable.jobs().length === 0)
      live.timetable.add({ job: this.job, calendar: createCalendar(this.job.schedule), replace: false });
    this.#looked();
  }

  /** Starts until a start survives; each of its attempts may be one in which it dies. */
  restart(): void {
    this.#live?.close();
    for (this.start(); this.#live!.isDead; this.start()) this.#live!.close();
  }

  async take(step: Step): Promise<void> {
    if (step.do === 'go on') this.#pass(step.ms, step.ms);
    else if (step.do === 'set the clock') this.#pass(0, step.ms);
    else if (step.do === 'kill and start') {
      this.#pass(step.awayMs, step.awayMs + step.setMs);
      this.restart();
    } else if (step.do === 'end what hangs') for (const end of this.#hanging.splice(0)) end();
    else
      try {
        this.#live!.timetable.runNow(this.job.id, null);
      } catch {
        // One is under way, or the process died in it.
      }
    await this.look();
  }

  /** Looks until nothing more follows from it. */
  async look(): Promise<void> {
    for (let i = 0; i < 4; i++) {
      if (this.#live!.isDead) this.restart();
      this.#live!.timetable.look();
      this.#looked();
      await new Promise((resolve) => setImmediate(resolve));
    }
    if (this.#live!.isDead) this.restart();
  }

  /** Runs that have not ended, or due times to be made up for. */
  isBusy(): boolean {
    const { timetable, claims } = this.#live!;
    return (
      claims.unfinished().length > 0 || timetable.jobs().some(({ wakeMs }) => wakeMs !== null && wakeMs <= this.wallMs)
    );
  }

  runs(): Run[] {
    return this.#live!.claims.history(undefined, 100_000);
  }

  end(): void {
    this.#live!.close();
    rmSync(this.#dir, { recursive: true, force: true });
  }

  #pass(monoMs: number, wallMs: number): void {
    this.monoMs += monoMs;
    this.wallMs = Math.max(this.wallMs + wallMs, this.maxMs - BACK_MAX_MS);
    this.maxMs = Math.max(this.maxMs, this.wallMs);
  }

  #looked(): void {
    if (this.wallMs > this.#positionMs) this.seen.push([this.#positionMs, this.wallMs]);
    this.#positionMs = this.wallMs;
  }
}

/** croner's own due times within the stretches, each once. */
function oracle(cron: string, timezone: string, stretches: readonly [number, number][]): number[] {
  const found = new Set<number>();
  const calendar = new Cron(cron, { timezone, paused: true });
  for (const [fromMs, toMs] of stretches) {
    for (const date of calendar.enumerate(new Date(fromMs))) {
      if (date.getTime() > toMs) break;
      if (date.getTime() > fromMs) found.add(date.getTime());
    }
  }
  return [...found].sort((a, b) => a - b);
}

const zones = [
  'UTC',
  'Europe/Berlin',
  'America/New_York',
  'Australia/Lord_Howe',
  'Asia/Kolkata',
  'America/Sao_Paulo',
  'Africa/Casablanca',
];
/** Days on which the clocks of those zones change (that of Sao Paulo did until 2019; Casablanca's around Ramadan), leap days, a turn of the year. */
const strange = [
  Date.UTC(2027, 2, 28),
  Date.UTC(2027, 9, 31),
  Date.UTC(2027, 2, 14),
  Date.UTC(2027, 10, 7),
  Date.UTC(2027, 3, 4),
  Date.UTC(2027, 9, 3),
  Date.UTC(2018, 10, 4),
  Date.UTC(2019, 1, 17),
  Date.UTC(2026, 1, 15),
  Date.UTC(2026, 2, 22),
  Date.UTC(2028, 1, 29),
  Date.UTC(2027, 11, 31),
];
const minutes = fc.oneof(
  fc.integer({ min: 0, max: 59 }).map(String),
  fc.integer({ min: 15, max: 59 }).map((n) => `*/${n}`),
  fc.uniqueArray(fc.integer({ min: 0, max: 59 }), { minLength: 1, maxLength: 3 }).map((all) => all.join(',')),
);
const hours = fc.oneof(
  fc.constant('*'),
  fc.integer({ min: 0, max: 4 }).map(String),
  fc.constantFrom('1-3', '*/2', '0,2,23'),
);
const days = fc.constantFrom('* * *', '* * *', '* * *', '29 2 *', 'L * *', '* * SUN', '* 2-4,10-11 *');
const crons = fc.tuple(minutes, hours, days).map((fields) => fields.join(' '));

const duration = fc.oneof(
  fc.integer({ min: 1, max: MINUTE }),
  fc.integer({ min: MINUTE, max: 3 * HOUR }),
  fc.integer({ min: HOUR, max: 30 * HOUR }),
);
/** A clock that is set by less than a second is not noticed, and need not be. */
const setting = fc
  .tuple(fc.integer({ min: 1500, max: 1.5 * DAY }), fc.boolean())
  .map(([ms, back]) => (back ? -ms : ms));
const steps: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('go on' as const), ms: duration }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('set the clock' as const), ms: setting }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('kill and start' as const),
      awayMs: duration,
      setMs: fc.oneof(fc.constant(0), setting),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('run by hand' as const) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('end what hangs' as const) }) },
);
const fates = fc.array(fc.constantFrom<Fate>('ok', 'ok', 'ok', 'fails', 'hangs', 'killed before', 'killed after'), {
  maxLength: 40,
});
const lives = fc.record({
  cron: crons,
  timezone: fc.constantFrom(...zones),
  day: fc.constantFrom(...strange),
  offsetMs: fc.integer({ min: -DAY, max: DAY }),
  missed: fc.record({
    policy: fc.constantFrom<MissedPolicy['policy']>('skip', 'once', 'all'),
    max: fc.constantFrom(2, 100),
  }),
  overlap: fc.constantFrom<OverlapPolicy>('skip', 'queue', 'allow'),
  jitterMs: fc.constantFrom(0, 0, 4 * MINUTE),
  attempts: fc.constantFrom(1, 3),
  steps: fc.array(steps, { minLength: 3, maxLength: 25 }),
  fates,
});

async function live(given: typeof lives extends fc.Arbitrary<infer T> ? T : never): Promise<void> {
  const { cron, timezone, missed, overlap, jitterMs, attempts } = given;
  const job: Job = {
    id: 'j',
    title: 'j',
    schedule: { kind: 'cron', cron, timezone },
    action: { publish: { subject: 'a.b', payload: {} } },
    missed: { ...missed, graceMs: 15_000 },
    overlap,
    jitterMs,
    retry: { attempts, backoffMs: 1000, backoffMaxMs: 60_000 },
    deadlineMs: 1000,
    paused: false,
    createdMs: given.day + given.offsetMs,
    cause: null,
  };
  const world = new World(job, given.fates);
  try {
    world.restart();
    for (const step of given.steps) await world.take(step);
    // On to where every due time that was passed has its jitter behind it, and all that hangs or waits for a next attempt has ended.
    for (let i = 0; i < 3 || (i < 20 && world.isBusy()); i++) {
      await world.take({ do: 'go on', ms: world.maxMs - world.wallMs + jitterMs + 2 * MINUTE });
      for (let n = 0; n < 200 && world.isBusy(); n++) await world.take({ do: 'end what hangs' });
    }

    const runs = world.runs().filter(({ kind }) => kind === 'due');
    const ran = runs.filter(({ state }) => state !== 'missed');
    const lost = runs.filter(({ state }) => state === 'missed').reduce((sum, { count }) => sum + count, 0);
    const expected = oracle(cron, timezone, world.seen);
    // The very last ones may wait for their jitter.
    const open = expected.filter((dueMs) => dueMs + jitterMs > world.wallMs).length;
    const decided = ran.length + lost;
    assert.ok(
      decided <= expected.length && decided >= expected.length - open,
      `${ran.length} ran, ${lost} missed, due were ${expected.length}, of which ${open} may wait`,
    );
    assert.equal(new Set(ran.map(({ dueMs }) => dueMs)).size, ran.length, 'each due time has one record');
    for (const { dueMs } of ran) assert.ok(expected.includes(dueMs), `${new Date(dueMs).toISOString()} is no due time`);
    // The action: with one attempt at most once per due time; always with the key of its due time.
    const keys = world.sent.map(({ key }) => key);
    for (const key of new Set(keys)) {
      const times = keys.filter((one) => one === key).length;
      assert.ok(times <= attempts, `${key} went out ${times} times with ${attempts} attempts`);
      assert.equal(new Set(world.sent.filter((one) => one.key === key).map(({ id }) => id)).size, 1, 'one id per key');
    }
    for (const { dueMs, state } of ran) {
      const key = `j@${new Date(dueMs).toISOString()}`;
      if (state === 'ok') assert.ok(keys.includes(key), `${key} is recorded ok and went out`);
      if (state === 'skipped') assert.ok(!keys.includes(key), `${key} is recorded skipped and did not go out`);
    }
    if (missed.policy === 'skip' && overlap === 'allow' && jitterMs === 0) {
      for (const run of ran) assert.ok(run.claimedMs - run.dueMs <= 15_000 || run.claimedMs < run.dueMs);
    }
  } finally {
    world.end();
  }
}

describe('a life of kills, restarts and clocks that are set', () => {
  test("decides each of croner's due times exactly once", () =>
    fc.assert(fc.asyncProperty(lives, live), { numRuns: 120 }));
});
