import { didYouMean, GraceError, parseDuration } from '@grace/contracts';
import { is, readInput } from '@grace/kernel-sdk';
import { type Calendar, createCalendar } from './calendar.ts';
import { type Action, JOB_LIMITS, type Job, MISSED, OVERLAPS, type Schedule } from './job.ts';
import { checkTimezone, readAt, readCron } from './read-schedule.ts';

const NAME = /^[A-Za-z][A-Za-z0-9_]{0,63}$/;
const SUBJECT = /^[^\s.*>]+(\.[^\s.*>]+)*$/;

/** `250`, `"10s"`, `"2h"` as ms. */
const time =
  (min: number, max: number) =>
  (value: unknown, place: string): number => {
    const ms = parseDuration(value);
    if (ms !== undefined && ms >= min && ms <= max) return ms;
    throw new GraceError(
      'BAD_INPUT',
      `${place}: expected a time from ${min} to ${max} ms, as ms or with a unit (10s, 5m, 2h, 7d), got ${JSON.stringify(value)?.slice(0, 60)}`,
      { place },
    );
  };
const whole = (min: number, max: number) => is.number({ min, max, integer: true });
const nested =
  <T extends object>(shape: Parameters<typeof readInput<T>>[1]) =>
  (value: unknown, place: string): T => {
    const source = is.record()(value, place);
    const names = Object.keys(shape);
    for (const name of Object.keys(source)) {
      if (names.includes(name)) continue;
      throw new GraceError(
        'BAD_INPUT',
        `${place}.${name} is not a field here${didYouMean(name, names)}; fields: ${names.join(', ')}`,
        {
          field: name,
        },
      );
    }
    return Object.fromEntries(
      names.map((name) => [name, shape[name as keyof T](source[name], `${place}.${name}`)]),
    ) as T;
  };

const publish = nested({
  subject: is.string({ max: 256, pattern: SUBJECT, what: 'a subject like task.review' }),
  payload: is.unknown(),
});
const call = nested({
  kernel: is.string({ pattern: NAME, what: 'the id of a kernel' }),
  verb: is.string({ pattern: NAME, what: 'the name of a verb' }),
  input: is.unknown(),
});

const SHAPE = {
  id: is.string({ pattern: /^[a-z][a-z0-9_.-]{0,63}$/, what: 'a name of at most 64 characters: a-z, 0-9, _ . -' }),
  title: is.optional(is.string({ max: 200 })),
  cron: is.optional(is.string({ max: JOB_LIMITS.cronChars, what: 'a cron expression' })),
  every: is.optional(time(100, JOB_LIMITS.spanMs)),
  at: is.optional(is.unknown()),
  inMs: is.optional(whole(1, JOB_LIMITS.spanMs)),
  timezone: is.optional(is.string({ max: 64 })),
  publish: is.optional(publish),
  call: is.optional(call),
  missed: is.optional(
    nested({
      policy: is.oneOf(MISSED),
      grace: is.optional(time(100, JOB_LIMITS.spanMs)),
      max: is.optional(whole(1, JOB_LIMITS.missed)),
    }),
  ),
  overlap: is.optional(is.oneOf(OVERLAPS)),
  jitter: is.optional(time(0, JOB_LIMITS.jitterMs)),
  retry: is.optional(
    nested({
      attempts: whole(1, JOB_LIMITS.attempts),
      backoff: is.optional(time(1, 86_400_000)),
      backoffMax: is.optional(time(1, 86_400_000)),
    }),
  ),
  deadline: is.optional(time(10, 3_600_000)),
  replace: is.optional(is.boolean()),
};

export interface NewJob {
  job: Job;
  calendar: Calendar;
  replace: boolean;
}

/** The input of `add`, checked and completed.
 * @throws GraceError `BAD_INPUT` naming the field, `TOO_LARGE` */
export function readJob(input: unknown, nowMs: number, cause: string | null = null): NewJob {
  const size = jsonChars(input ?? {});
  if (size > JOB_LIMITS.definitionChars) {
    throw new GraceError('TOO_LARGE', `a job may have ${JOB_LIMITS.definitionChars} characters, this one has ${size}`, {
      limit: JOB_LIMITS.definitionChars,
    });
  }
  const given = readInput(input, SHAPE);
  const timezone = given.timezone ?? 'UTC';
  checkTimezone(timezone, 'input.timezone');
  const schedule = readSchedule(given, timezone, nowMs);
  const calendar = createCalendar(schedule);
  const firstMs = calendar.after(nowMs);
  if (firstMs === null)
    throw new GraceError(
      'BAD_INPUT',
      `input.${schedule.kind === 'once' ? 'at' : 'cron'}: expected a time that comes, this never does`,
    );
  const jitterMs = given.jitter ?? 0;
  const gapMs = (calendar.after(firstMs) ?? Infinity) - firstMs;
  if (jitterMs > gapMs) {
    throw new GraceError(
      'BAD_INPUT',
      `input.jitter: expected at most the time between two runs (${gapMs} ms), got ${jitterMs}`,
    );
  }
  const job: Job = {
    id: given.id,
    title: given.title ?? given.id,
    schedule,
    action: readAction(given.publish, given.call),
    missed: {
      policy: given.missed?.policy ?? (schedule.kind === 'once' ? 'once' : 'skip'),
      graceMs: given.missed?.grace ?? 15_000,
      max: given.missed?.max ?? 100,
    },
    overlap: given.overlap ?? 'skip',
    jitterMs,
    retry: {
      attempts: given.retry?.attempts ?? 1,
      backoffMs: given.retry?.backoff ?? 1000,
      backoffMaxMs: given.retry?.backoffMax ?? 60_000,
    },
    deadlineMs: given.deadline ?? 30_000,
    paused: false,
    createdMs: nowMs,
    cause,
  };
  return { job, calendar, replace: given.replace ?? false };
}

/** An input arrives by structured clone, so it may hold what JSON cannot say, and go in a circle. */
function jsonChars(input: unknown): number {
  try {
    return JSON.stringify(input).length;
  } catch (error) {
    throw new GraceError('BAD_INPUT', `input: expected a job that JSON can say: ${(error as Error).message}`);
  }
}

type Given = { cron: string | undefined; every: number | undefined; at: unknown; inMs: number | undefined };

function readSchedule({ cron, every, at, inMs }: Given, timezone: string, nowMs: number): Schedule {
  const kinds = Object.entries({ cron, every, at, inMs }).filter(([, value]) => value !== undefined && value !== null);
  if (kinds.length !== 1) {
    throw new GraceError(
      'BAD_INPUT',
      `input: expected exactly one of cron, every, at, inMs, got ${kinds.map(([name]) => name).join(' and ') || 'none'}`,
    );
  }
  if (cron !== undefined) return readCron(cron, timezone, 'input.cron');
  if (every !== undefined) return { kind: 'interval', everyMs: every, anchorMs: nowMs + every };
  return { kind: 'once', atMs: inMs === undefined ? readAt(at, timezone, nowMs, 'input.at') : nowMs + inMs };
}

function readAction(
  publish: { subject: string; payload: unknown } | undefined,
  call: { kernel: string; verb: string; input: unknown } | undefined,
): Action {
  if ((publish === undefined) === (call === undefined)) {
    throw new GraceError('BAD_INPUT', `input: expected exactly one of publish, call, got ${publish ? 'both' : 'none'}`);
  }
  if (publish) return { publish: { subject: publish.subject, payload: publish.payload ?? {} } };
  return { call: { kernel: call!.kernel, verb: call!.verb, input: call!.input ?? {} } };
}
