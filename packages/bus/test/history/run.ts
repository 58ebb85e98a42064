import { cpSync, existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BusStatistics, DeadLetter } from '@grace/contracts';
import { poll } from '@grace/testkit';
import { KERNELS, OUTSIDE } from './cast.ts';
import { check, type Verdict } from './checker/check.ts';
import type { Account } from './entries.ts';
import { OutsideProcesses } from './outside-process.ts';
import { marker, QUIET } from './participant.ts';
import { readHistory } from './read-history.ts';
import { openRecord, type Record } from './recorder.ts';
import { inWords, makeSchedule, STRIKE_KINDS } from './schedule.ts';
import { Striker } from './strikes.ts';
import { Supervision } from './supervision.ts';
import { bootWithCast } from './system.ts';

export interface RunOptions {
  seed: number;
  /** Of the strikes; boot, recovery and drain come on top. */
  durationMs: number;
  /** Traffic after everybody is back, ms. */
  calmMs: number;
  /** A line for whoever waits. */
  say?: (line: string) => void;
  /** Breaks the run off; the system is ended, and what was written is kept. */
  signal?: AbortSignal;
}

export interface Run extends Verdict {
  /** Where the history is kept; null: it held, and is gone. */
  kept: string | null;
}

/** Everybody back, every publish answered, every durable message settled: generous, since a full machine makes everything late. */
const SETTLE = { deadlineMs: 90_000, everyMs: 100 };
const ACCOUNT_EVERY_MS = 500;
const TICK_MS = 20;
/** Runs longer than this publish less often: a history of any length is small enough to be judged in memory. */
const FULL_RATE_MS = 150_000;

/** Boots, publishes, strikes by the seed's schedule, waits until nothing waits, stops, and judges what was written. */
export async function runHistory(options: RunOptions): Promise<Run> {
  const { seed, durationMs, say = () => {} } = options;
  const tickMs = Math.round(TICK_MS * Math.max(1, durationMs / FULL_RATE_MS));
  const { system, folder } = await bootWithCast(seed, tickMs);
  const keep = (): string => {
    const kept = mkdtempSync(join(tmpdir(), `grace-history-${seed}-`));
    cpSync(folder, kept, { recursive: true });
    for (const what of ['logs', 'journal'])
      if (existsSync(join(system.home, what))) cpSync(join(system.home, what), join(kept, what), { recursive: true });
    return kept;
  };
  try {
    const playing = play(new Supervision(system.home), folder, tickMs, options);
    await Promise.race([playing, broken(options.signal)]);
    await system.stop();
    const verdict = check(readHistory(folder));
    const kept = verdict.verdict === 'held' ? null : keep();
    await system.site.close();
    return { ...verdict, kept };
  } catch (error) {
    say(`the run broke off; its history is kept in ${keep()}`);
    await system.site.close({ mayLeave: true });
    throw error;
  }
}

/** Rejects when the signal is aborted. */
function broken(signal?: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  });
}

async function play(supervision: Supervision, folder: string, tickMs: number, options: RunOptions): Promise<void> {
  const { seed, durationMs, calmMs, say = () => {} } = options;
  const record = openRecord(folder, 'run', 0);
  const schedule = makeSchedule(seed, durationMs);
  record({ e: 'seed', seed, kinds: STRIKE_KINDS, schedule: schedule.map(inWords) });
  const token = (principal: string) =>
    poll('the supervisor gives a token', () => supervision.ask('bus.token', { principal }), SETTLE);
  const outside = new OutsideProcesses({ folder, seed, tickMs, token });
  const stopAccounts = watchAccounts(supervision, record);
  try {
    for (const who of Object.keys(OUTSIDE)) await outside.start(who);
    await everybody(supervision, outside, folder, 'up');
    const striker = new Striker(supervision, outside, record);
    const begun = performance.now();
    const striking: Promise<void>[] = [];
    for (const [index, strike] of schedule.entries()) {
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, begun + strike.atMs - performance.now())));
      say(inWords(strike));
      striking.push(striker.strike(index, strike));
    }
    await Promise.all(striking);
    await everybody(supervision, outside, folder, 'up');
    record({ e: 'calm' });
    say(`everybody is back after ${Math.round(performance.now() - begun)} ms`);
    await new Promise((resolve) => setTimeout(resolve, calmMs));
    writeFileSync(join(folder, QUIET), '');
    await everybody(supervision, outside, folder, 'quiet');
    await stopAccounts();
    await settle(supervision, record, say);
  } finally {
    await stopAccounts();
    await outside.close();
  }
}

/** Waits until the latest life of each participant has come so far. */
async function everybody(
  supervision: Supervision,
  outside: OutsideProcesses,
  folder: string,
  what: 'up' | 'quiet',
): Promise<void> {
  await poll(
    `everybody is ${what}`,
    async () => {
      const { kernels } = await supervision.status();
      const lives = [
        ...kernels
          .filter(({ id }) => id in KERNELS)
          .map(({ id, incarnation, state }) => ({ id, life: incarnation, state })),
        ...Object.keys(OUTSIDE).map((id) => ({ id, life: outside.lifeOf(id), state: 'running' })),
      ];
      const late = lives.filter(
        ({ id, life, state }) => state !== 'running' || !existsSync(join(folder, marker(id, life, what))),
      );
      if (late.length === 0) return true;
      throw new Error(`not yet: ${late.map(({ id, life, state }) => `${id}/${life} (${state})`).join(', ')}`);
    },
    SETTLE,
  );
}

/** Waits until nothing waits any more, and writes down the last account and the dead letters. What never settles is for the checker to say. */
async function settle(supervision: Supervision, record: Record, say: (line: string) => void): Promise<void> {
  await poll(
    'nothing waits on the bus',
    async () => {
      const { waiting, families } = await statistics(supervision);
      if (waiting === 0) return true;
      throw new Error(`${waiting} wait: ${JSON.stringify(families)}`);
    },
    SETTLE,
  ).catch((error: Error) => say(error.message));
  for (let after: number | null = 0; after !== null; ) {
    const page: { letters: DeadLetter[]; next: number | null } = await supervision.call('message_bus', 'deadLetters', {
      after,
      limit: 500,
      payload: true,
    });
    for (const { consumer, payload, attempts, reason } of page.letters)
      record({ e: 'dead', c: consumer, key: (payload as { key: string }).key, attempts, reason });
    after = page.next;
  }
  record({ e: 'account', last: true, account: accountOf(await statistics(supervision)) });
}

const statistics = (supervision: Supervision): Promise<BusStatistics> => supervision.call('message_bus', 'stats');

const accountOf = ({ families, durable, ...total }: BusStatistics): Account => ({
  total: totalsOf(total),
  families: Object.fromEntries(Object.entries(families).map(([name, totals]) => [name, totalsOf(totals)])),
  dead: durable?.dead ?? 0,
});

const totalsOf = ({
  accepted,
  handled,
  rejected,
  expired,
  deadLettered,
  waiting,
}: BusStatistics | Account['total']) => ({
  accepted,
  handled,
  rejected,
  expired,
  deadLettered,
  waiting,
});

/** Asks for the broker's account again and again; one that is away is asked later. Gives what ends it. */
function watchAccounts(supervision: Supervision, record: Record): () => Promise<void> {
  let isOver = false;
  const watching = (async () => {
    while (!isOver) {
      const now = await statistics(supervision).catch(() => null);
      if (now) record({ e: 'account', last: false, account: accountOf(now) });
      await new Promise((resolve) => setTimeout(resolve, ACCOUNT_EVERY_MS));
    }
  })();
  return async () => {
    isOver = true;
    await watching;
  };
}
