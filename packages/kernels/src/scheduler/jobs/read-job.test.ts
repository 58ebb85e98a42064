import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { GraceError } from '@grace/contracts';
import fc from 'fast-check';
import { readJob } from './read-job.ts';

const NOW = Date.UTC(2026, 10, 23, 12);
const base = { id: 'j', publish: { subject: 'task.review' } };
const read = (changes: Record<string, unknown>) => readJob({ ...base, ...changes }, NOW);

describe('a job', () => {
  test('is completed: nothing is optional any more', () => {
    const { job, replace } = read({ cron: '0 3 * * *', timezone: 'Europe/Berlin' });
    assert.equal(replace, false);
    assert.equal(Object.values(job).includes(undefined as never), false);
    assert.deepEqual(job.schedule, { kind: 'cron', cron: '0 3 * * *', timezone: 'Europe/Berlin' });
    assert.equal(job.missed.policy, 'skip');
  });

  test('at without an offset is in the time zone, with one it is what it says', () => {
    const at = (changes: Record<string, unknown>) => {
      const { schedule } = read(changes).job;
      return schedule.kind === 'once' ? schedule.atMs : undefined;
    };
    assert.equal(at({ at: '2027-07-01T12:00:00', timezone: 'Europe/Berlin' }), Date.UTC(2027, 6, 1, 10));
    assert.equal(at({ at: '2027-07-01T12:00', timezone: 'UTC' }), Date.UTC(2027, 6, 1, 12));
    assert.equal(at({ at: '2027-07-01T12:00:00+02:00' }), Date.UTC(2027, 6, 1, 10));
    assert.equal(at({ at: NOW + 5 }), NOW + 5);
    assert.equal(at({ inMs: 10 }), NOW + 10);
  });

  const refused: [string, Record<string, unknown>, RegExp][] = [
    ['an unknown field', { crn: '* * * * *' }, /input\.crn is not a field.*did you mean "cron"/],
    ['no schedule', {}, /exactly one of cron, every, at, inMs, got none/],
    ['two schedules', { cron: '* * * * *', inMs: 5 }, /got cron and inMs/],
    ['no action', { inMs: 5, publish: undefined }, /exactly one of publish, call, got none/],
    ['a cron with a wrong hour', { cron: '0 25 * * *' }, /input\.cron.*hour/],
    ['a cron of three fields', { cron: '* * *' }, /5 to 7 fields.*got 3/],
    ['an empty cron', { cron: ' ' }, /5 to 7 fields.*got 0/],
    ['a cron that never comes', { cron: '0 0 30 2 *' }, /never does/],
    ['a cron in the past', { cron: '0 0 0 1 1 * 2020' }, /never does/],
    ['a nickname nobody has', { cron: '@dayly' }, /did you mean "@daily"/],
    ['a date as cron', { cron: '2030-01-01T00:00:00' }, /5 to 7 fields/],
    ['a huge cron', { cron: `${'1,'.repeat(5000)}1 * * * *` }, /input\.cron.*1 to 200 characters/],
    ['a time zone nobody has', { cron: '* * * * *', timezone: 'Europe/Berln' }, /did you mean "Europe\/Berlin"/],
    ['a date that was', { at: '2020-01-01T00:00:00Z' }, /input\.at: expected a time after now/],
    ['a date that is none', { at: '2027-13-45T99:00:00Z' }, /input\.at/],
    ['a date of another type', { at: { year: 2030 } }, /input\.at/],
    ['a date too far away', { at: 8.64e15 }, /within ten years/],
    ['an interval too short', { every: 1 }, /input\.every: expected a time from 100/],
    ['a policy nobody has', { inMs: 5, missed: { policy: 'onec' } }, /input\.missed\.policy.*did you mean "once"/],
    [
      'an unknown field inside',
      { inMs: 5, retry: { attempts: 2, backof: 5 } },
      /input\.retry\.backof.*did you mean "backoff"/,
    ],
    ['a subject with wildcards', { inMs: 5, publish: { subject: 'task.*' } }, /input\.publish\.subject/],
    ['more jitter than the interval', { every: '1s', jitter: '2s' }, /input\.jitter: expected at most.*1000/],
    ['a bad id', { id: 'No Spaces', inMs: 5 }, /input\.id/],
    ['the id of a probe', { id: '_probe_1', inMs: 5 }, /input\.id/],
  ];
  for (const [what, changes, message] of refused) {
    test(`with ${what} is refused, and the field is named`, () => {
      assert.throws(
        () => read(changes),
        (error: GraceError) => error.code === 'BAD_INPUT' && message.test(error.message),
      );
    });
  }

  test('that JSON cannot say is refused', () => {
    const circle: Record<string, unknown> = {};
    circle['self'] = circle;
    for (const payload of [circle, 1n])
      assert.throws(() => read({ inMs: 5, publish: { subject: 'a.b', payload } }), { code: 'BAD_INPUT' });
  });

  test('that is huge is refused as too large', () => {
    assert.throws(() => read({ inMs: 5, publish: { subject: 'a.b', payload: 'x'.repeat(70_000) } }), {
      code: 'TOO_LARGE',
    });
  });

  test('any cron text is either taken and comes due, or refused with a code', () => {
    const piece = fc.constantFrom(
      '*',
      '0',
      '5',
      '/',
      '-',
      ',',
      ' ',
      ' ',
      'L',
      'W',
      '#',
      '?',
      'MON',
      '@',
      '+',
      '99',
      'H',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 25 }), (pieces) => {
        try {
          const { calendar } = read({ cron: pieces.join('') });
          assert.ok(calendar.after(NOW)! > NOW);
        } catch (error) {
          assert.equal((error as GraceError).code, 'BAD_INPUT', String(error));
        }
      }),
      { numRuns: 400 },
    );
  });
});
