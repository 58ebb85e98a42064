import { Cron } from 'croner';
import type { Schedule } from './job.ts';

/** The due times of a schedule. Instants are wall ms. */
export interface Calendar {
  /** The first due time after `fromMs`; null when there is none. */
  after(fromMs: number): number | null;
  /** The last `count` due times that are not after `untilMs`, in order. */
  last(count: number, untilMs: number): number[];
}

/** Largest instant a Date can hold, less a day for time zones. */
const END_MS = 8.64e15 - 86_400_000;

export function createCalendar(schedule: Schedule): Calendar {
  switch (schedule.kind) {
    case 'cron':
      return cronCalendar(schedule.cron, schedule.timezone);
    case 'interval':
      return intervalCalendar(schedule.everyMs, schedule.anchorMs);
    case 'once':
      return {
        after: (fromMs) => (schedule.atMs > fromMs ? schedule.atMs : null),
        last: (count, untilMs) => (count > 0 && schedule.atMs <= untilMs ? [schedule.atMs] : []),
      };
  }
}

function cronCalendar(pattern: string, timezone: string): Calendar {
  const cron = new Cron(pattern, { timezone, paused: true });
  return {
    after: (fromMs) => (fromMs > END_MS ? null : (cron.nextRun(new Date(fromMs))?.getTime() ?? null)),
    last: (count, untilMs) =>
      count === 0
        ? []
        : // The calendar looks before its reference, and in whole seconds: two seconds on hold every due time that is wanted.
          cron
            .previousRuns(count + 2, new Date(untilMs + 2000))
            .map((date) => date.getTime())
            .filter((dueMs) => dueMs <= untilMs)
            .slice(0, count)
            .reverse(),
  };
}

/** Due at the anchor and every `everyMs` after it. */
function intervalCalendar(everyMs: number, anchorMs: number): Calendar {
  return {
    after(fromMs) {
      const steps = Math.max(0, Math.floor((fromMs - anchorMs) / everyMs) + 1);
      const dueMs = anchorMs + steps * everyMs;
      return dueMs > END_MS ? null : dueMs;
    },
    last(count, untilMs) {
      const steps = Math.floor((untilMs - anchorMs) / everyMs);
      const found: number[] = [];
      for (let i = Math.max(0, steps - count + 1); i <= steps; i++) found.push(anchorMs + i * everyMs);
      return found;
    },
  };
}
