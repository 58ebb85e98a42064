import { didYouMean, GraceError } from '@grace/contracts';
import { Cron } from 'croner';
import { JOB_LIMITS, type Schedule } from './job.ts';

const NICKNAMES = ['@yearly', '@annually', '@monthly', '@weekly', '@daily', '@midnight', '@hourly'];

const refuse = (place: string, expected: string, got: string): never => {
  throw new GraceError('BAD_INPUT', `${place}: expected ${expected}, got ${got.slice(0, 200)}`, { place });
};

/** @throws GraceError `BAD_INPUT` with the nearest zone */
export function checkTimezone(timezone: string, place: string): void {
  try {
    new Intl.DateTimeFormat('en', { timeZone: timezone });
  } catch {
    const near = didYouMean(timezone, [...Intl.supportedValuesOf('timeZone'), 'UTC']);
    refuse(place, 'an IANA time zone like Europe/Berlin', `"${timezone}"${near}`);
  }
}

/** Five fields, or six with seconds, or seven with years, or a nickname. */
export function readCron(text: string, timezone: string, place: string): Schedule {
  const cron = text.trim().replace(/\s+/g, ' ');
  if (cron.startsWith('@') && !NICKNAMES.includes(cron.toLowerCase())) {
    refuse(place, `one of ${NICKNAMES.join(', ')}`, `"${cron}"${didYouMean(cron, NICKNAMES)}`);
  }
  const fields = cron.split(' ').length;
  // The calendar would take a date here too; dates have their own field.
  if (!cron.startsWith('@') && (fields < 5 || fields > 7)) {
    refuse(
      place,
      '5 to 7 fields: [second] minute hour day month weekday [year]',
      `${cron === '' ? 0 : fields} in "${cron}"`,
    );
  }
  try {
    new Cron(cron, { timezone, paused: true });
  } catch (error) {
    refuse(place, 'a cron expression', `"${cron}": ${(error as Error).message.replace(/^CronPattern: /, '')}`);
  }
  return { kind: 'cron', cron, timezone };
}

/** An instant: ms since 1970, ISO text with offset, or ISO text without, then in the time zone. */
export function readAt(value: unknown, timezone: string, nowMs: number, place: string): number {
  const expected = 'ms since 1970 or a date like 2027-03-28T02:30:00 or 2027-03-28T02:30:00Z';
  const atMs = typeof value === 'number' ? value : typeof value === 'string' ? parseDate(value, timezone) : undefined;
  if (atMs === undefined || !Number.isSafeInteger(atMs)) return refuse(place, expected, String(JSON.stringify(value)));
  if (atMs <= nowMs)
    refuse(
      place,
      `a time after now (${new Date(nowMs).toISOString()})`,
      `${Math.ceil((nowMs - atMs) / 1000)} s before`,
    );
  if (atMs > nowMs + JOB_LIMITS.spanMs) refuse(place, 'a time within ten years', String(JSON.stringify(value)));
  return atMs;
}

const ISO = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2})?$/;

function parseDate(text: string, timezone: string): number | undefined {
  const match = ISO.exec(text);
  if (!match) return undefined;
  if (match[3]) {
    const atMs = Date.parse(text);
    return Number.isNaN(atMs) ? undefined : atMs;
  }
  try {
    const local = match[1] ? text.replace(/\.\d+$/, '') : `${text}:00`;
    return new Cron(local, { timezone, paused: true }).getOnce()?.getTime();
  } catch {
    return undefined;
  }
}
