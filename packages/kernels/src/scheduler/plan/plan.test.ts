import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Cron } from 'croner';
import fc from 'fast-check';
import { createCalendar } from '../jobs/calendar.ts';
import type { Job, MissedPolicy, Schedule } from '../jobs/job.ts';
import { due, plan } from './due.ts';
import { jitter } from './jitter.ts';
import { backoff } from './retry.ts';

const MINUTE = 60_000;
const HOUR = 3_600_000;
const DAY = 86_400_000;

const job = (schedule: Schedule, changes: Partial<Job> = {}): Job => ({
  id: 'j',
  title: 'j',
  schedule,
  action: { publish: { subject: 'a.b', payload: {} } },
  missed: { policy: 'skip', graceMs: 15_000, max: 100 },
  overlap: 'skip',
  jitterMs: 0,
  retry: { attempts: 1, backoffMs: 1000, backoffMaxMs: 60_000 },
  deadlineMs: 1000,
  paused: false,
  createdMs: 0,
  cause: null,
  ...changes,
});
const planned = (made: Job, settledMs: number) => ({ job: made, calendar: createCalendar(made.schedule), settledMs });
const missed = (policy: MissedPolicy['policy'], max = 100): MissedPolicy => ({ policy, graceMs: 15_000, max });

/** croner's own enumeration: what must be due in (fromMs, toMs]. */
function oracle(cron: string, timezone: string, fromMs: number, toMs: number): number[] {
  const found: number[] = [];
  for (const date of new Cron(cron, { timezone, paused: true }).enumerate(new Date(fromMs))) {
    if (date.getTime() > toMs) break;
    found.push(date.getTime());
  }
  return found;
}

const crons = [
  '*/7 * * * *',
  '0 * * * *',
  '30 2 * * *',
  '0 0 29 2 *',
  '15 1,2,3 * * *',
  '0 0 L * *',
  '59 23 31 12 *',
  '*/20 * * * * *',
];
const zones = [
  'UTC',
  'Europe/Berlin',
  'America/New_York',
  'Australia/Lord_Howe',
  'America/Sao_Paulo',
  'Asia/Kolkata',
  'Africa/Casablanca',
];
/** Days on which calendars are strange: daylight saving begins or ends, leap days, the turn of a year. */
const strange = [
  Date.UTC(2027, 2, 28),
  Date.UTC(2027, 9, 31),
  Date.UTC(2027, 2, 14),
  Date.UTC(2027, 10, 7),
  Date.UTC(2027, 3, 4),
  Date.UTC(2028, 1, 29),
  Date.UTC(2027, 11, 31),
];
const instant = fc.oneof(
  fc.integer({ min: Date.UTC(2020, 0), max: Date.UTC(2040, 0) }),
  fc.tuple(fc.constantFrom(...strange), fc.integer({ min: -DAY, max: DAY })).map(([day, offset]) => day + offset),
);

describe('due', () => {
  test("is croner's own calendar, also on days when the clocks change and on leap days", () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...crons),
        fc.constantFrom(...zones),
        instant,
        fc.integer({ min: 0, max: 6 * HOUR }),
        (cron, timezone, fromMs, spanMs) => {
          const made = job({ kind: 'cron', cron, timezone });
          const found = due([planned(made, 0)], fromMs, fromMs + spanMs, 5000).map(({ dueMs }) => dueMs);
          assert.deepEqual(found, oracle(cron, timezone, fromMs, fromMs + spanMs));
        },
      ),
      { numRuns: 150 },
    );
  });

  test('looking in any number of steps gives each due time once', () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...crons),
        fc.constantFrom(...zones),
        instant,
        fc.array(fc.integer({ min: 0, max: HOUR }), { maxLength: 12 }),
        (cron, timezone, fromMs, steps) => {
          const jobs = [planned(job({ kind: 'cron', cron, timezone }), 0)];
          const pieces: number[] = [];
          let atMs = fromMs;
          for (const step of steps) {
            pieces.push(...due(jobs, atMs, atMs + step, 5000).map(({ dueMs }) => dueMs));
            atMs += step;
          }
          assert.deepEqual(pieces, oracle(cron, timezone, fromMs, atMs));
        },
      ),
      { numRuns: 100 },
    );
  });

  test('the last due times are those the calendar gives going forward', () => {
    fc.assert(
      fc.property(
        fc.constantFrom('*/7 * * * *', '15 1,2,3 * * *', '30 2 * * *', '*/20 * * * * *'),
        fc.constantFrom(...zones),
        instant,
        fc.integer({ min: 1, max: 20 }),
        (cron, timezone, untilMs, count) => {
          const last = createCalendar({ kind: 'cron', cron, timezone }).last(count, untilMs);
          assert.equal(last.length, count);
          assert.deepEqual(last, oracle(cron, timezone, last[0]! - 1, untilMs));
        },
      ),
      { numRuns: 150 },
    );
  });

  test('an interval is due at its anchor and every period after it', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 100, max: DAY }),
        instant,
        fc.integer({ min: -DAY, max: DAY }),
        (everyMs, anchorMs, offset) => {
          const calendar = createCalendar({ kind: 'interval', everyMs, anchorMs });
          const next = calendar.after(anchorMs + offset)!;
          assert.ok(next > anchorMs + offset && next >= anchorMs && (next - anchorMs) % everyMs === 0);
          assert.ok(next - everyMs <= anchorMs + offset || next === anchorMs);
          for (const dueMs of calendar.last(3, next)) assert.equal(calendar.after(dueMs - 1), dueMs);
        },
      ),
    );
  });

  test('a paused job is never due', () => {
    assert.deepEqual(
      due([planned(job({ kind: 'interval', everyMs: 100, anchorMs: 0 }, { paused: true }), 0)], 0, 1000),
      [],
    );
  });
});

describe('plan', () => {
  const steps = fc.array(fc.integer({ min: 0, max: 40 * MINUTE }), { minLength: 1, maxLength: 20 });

  test('under any sequence of looks each due time is run or counted as missed exactly once, in order', () => {
    const policies = fc.constantFrom<MissedPolicy>(missed('skip'), missed('once'), missed('all'), missed('all', 2));
    const jitters = fc.constantFrom(0, 1000, 5 * MINUTE);
    fc.assert(
      fc.property(
        fc.constantFrom('*/7 * * * *', '30 2 * * *', '15 1,2,3 * * *'),
        fc.constantFrom(...zones),
        instant,
        steps,
        policies,
        jitters,
        (cron, timezone, fromMs, looks, policy, jitterMs) => {
          const slot = planned(job({ kind: 'cron', cron, timezone }, { missed: policy, jitterMs }), fromMs);
          const run: number[] = [];
          let lost = 0;
          let nowMs = fromMs;
          for (const step of looks) {
            nowMs += step;
            const found = plan(slot, nowMs);
            run.push(...found.catchUp, ...found.run);
            lost += found.missed?.count ?? 0;
            for (const dueMs of [...found.catchUp, ...found.run])
              assert.ok(dueMs + jitter('j', dueMs, jitterMs) <= nowMs);
            assert.ok(found.wakeMs === null || found.wakeMs > nowMs);
            slot.settledMs = found.settledMs;
          }
          const all = oracle(cron, timezone, fromMs, slot.settledMs);
          assert.equal(run.length + lost, all.length);
          assert.deepEqual(
            run,
            [...new Set(run)].sort((a, b) => a - b),
          );
          assert.ok(run.every((dueMs) => all.includes(dueMs)));
        },
      ),
      { numRuns: 200 },
    );
  });

  test('a day away: skip runs none, once the last, all the latest it may', () => {
    const nowMs = Date.UTC(2027, 0, 2, 0, 0, 30);
    const after = (policy: MissedPolicy) =>
      plan(planned(job({ kind: 'cron', cron: '0 * * * *', timezone: 'UTC' }, { missed: policy }), nowMs - DAY), nowMs);
    assert.deepEqual(after(missed('skip')).catchUp, []);
    assert.equal(after(missed('skip')).missed?.count, 24);
    assert.deepEqual(after(missed('once')).catchUp, [Date.UTC(2027, 0, 2)]);
    assert.equal(after(missed('all')).catchUp.length, 24);
    assert.equal(after(missed('all', 5)).catchUp.length, 5);
    assert.equal(after(missed('all', 5)).missed?.count, 19);
  });

  test('a due time within its grace is in time, whatever the policy', () => {
    const nowMs = Date.UTC(2027, 0, 2, 0, 0, 10);
    const found = plan(planned(job({ kind: 'cron', cron: '0 * * * *', timezone: 'UTC' }), nowMs - HOUR), nowMs);
    assert.deepEqual([found.catchUp, found.run, found.missed], [[], [Date.UTC(2027, 0, 2)], null]);
  });

  test('ten years of a job of every second are decided at once, with the latest', () => {
    const nowMs = Date.UTC(2037, 0, 1, 0, 0, 30);
    const made = job({ kind: 'cron', cron: '* * * * * *', timezone: 'Europe/Berlin' }, { missed: missed('once') });
    const slot = planned(made, Date.UTC(2027, 0, 1));
    const found = plan(slot, nowMs);
    assert.equal(found.missed?.isAtLeast, true);
    assert.equal(found.catchUp.length, 1);
    assert.ok(nowMs - found.catchUp[0]! <= 16_000);
    const rest = plan({ ...slot, settledMs: found.settledMs }, nowMs);
    assert.deepEqual([rest.catchUp, rest.missed, rest.run.at(-1)], [[], null, nowMs]);
  });

  test('a clock that was set back makes nothing due that lies before it, and goes on from the present', () => {
    const nowMs = Date.UTC(2027, 0, 1);
    const found = plan(planned(job({ kind: 'interval', everyMs: MINUTE, anchorMs: nowMs }), nowMs + 400 * DAY), nowMs);
    assert.deepEqual([found.run, found.catchUp, found.settledMs, found.wakeMs], [[], [], nowMs, nowMs + MINUTE]);
  });

  test('a leap day comes every fourth year', () => {
    const calendar = createCalendar({ kind: 'cron', cron: '0 0 29 2 *', timezone: 'UTC' });
    const first = calendar.after(Date.UTC(2026, 0))!;
    assert.deepEqual([first, calendar.after(first)], [Date.UTC(2028, 1, 29), Date.UTC(2032, 1, 29)]);
  });

  test('02:30 on the day the clocks go forward runs once, after the gap; on the day they go back once, the first time', () => {
    const made = job({ kind: 'cron', cron: '30 2 * * *', timezone: 'Europe/Berlin' });
    const day = (y: number, m: number, d: number) =>
      due([planned(made, 0)], Date.UTC(y, m, d - 1, 22), Date.UTC(y, m, d, 22)).map(({ dueMs }) => dueMs);
    assert.deepEqual(day(2027, 2, 28), [Date.UTC(2027, 2, 28, 1)]);
    assert.deepEqual(day(2027, 9, 31), [Date.UTC(2027, 9, 31, 0, 30)]);
  });
});

describe('jitter and back-off', () => {
  test('jitter is the same each time, within its bound, and spreads', () => {
    fc.assert(
      fc.property(fc.string(), fc.integer(), fc.integer({ min: 0, max: DAY }), (id, dueMs, max) => {
        const value = jitter(id, dueMs, max);
        assert.ok(value >= 0 && value <= max && value === jitter(id, dueMs, max));
      }),
    );
    const values = new Set(Array.from({ length: 100 }, (_, i) => jitter('a', i * MINUTE, 10_000)));
    assert.ok(values.size > 90);
  });

  test('back-off doubles up to its bound', () => {
    const retry = { backoffMs: 100, backoffMaxMs: 1000 };
    assert.deepEqual(
      [1, 2, 3, 4, 5, 1000].map((attempt) => backoff(retry, attempt)),
      [100, 200, 400, 800, 1000, 1000],
    );
  });
});
