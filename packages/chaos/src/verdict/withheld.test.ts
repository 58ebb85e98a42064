import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Withheld } from '@grace/contracts';
import { other, trialOf, verdictOf } from '../../test/judged.ts';
import { altered, type Event, STORY, story } from '../../test/story.ts';

describe('when the machine withheld what the system needed', () => {
  const withheld = (...stretches: Withheld[]): Event[] => altered('end', (data) => ({ ...data, withheld: stretches }));
  const stretch = (fromMono: number, toMono: number, given: Partial<Withheld> = {}): Withheld => {
    return { fromMono, toMono, ms: toMono - fromMono, of: 'supervisor', by: 'stop', ...given };
  };
  // Injected at 4111, and 1000 ms are allowed.
  const late = { detection: [{ ...STORY['detection']![0]!, at: 5400 }] };
  const slow = altered('sample', (data) => ({ ...data, verbs: { ok: 20, failed: 0, p50Ms: 2, p99Ms: 900 } }));

  test('a miss that is no longer than that proves nothing, and the reason says what was measured', () => {
    const { verdict, reasons } = trialOf(story({ ...late, end: withheld(stretch(4200, 4600)) }));
    assert.equal(verdict, 'inconclusive', reasons.join('\n'));
    assert.match(
      reasons[0]!,
      /later than the 1000 ms allowed; the machine withheld 400 ms of that: supervisor by stop/,
    );
    assert.equal(verdictOf({ sample: slow, end: withheld(stretch(4800, 5600)) }), 'inconclusive');
  });

  test('a miss that is longer, or was made at another time, is broken', () => {
    assert.equal(verdictOf({ ...late, end: withheld(stretch(4200, 4400)) }), 'broken');
    assert.equal(verdictOf({ ...late, end: withheld(stretch(5410, 5510)) }), 'broken');
    assert.equal(verdictOf({ sample: slow, end: withheld(stretch(4800, 5000)) }), 'broken');
    // Enough in all, and never enough at once.
    const often = [0, 1, 2].map((n) => stretch(4100 + n * 600, 4300 + n * 600));
    assert.equal(verdictOf({ sample: slow, end: withheld(...often) }), 'broken');
  });

  test('a runner that stood still alone excuses nobody, one that did so with the supervisor does', () => {
    const end = withheld(stretch(4200, 4600, { of: 'runner', by: 'unknown' }));
    assert.equal(verdictOf({ ...late, end }), 'broken');
    const lag: Event = { at: 4620, name: 'system:lag', data: { lagMs: 390 } };
    assert.equal(verdictOf({ ...late, end, lag: [lag] }), 'inconclusive');
  });

  test('a fault that lapsed since nobody was let renew it could not be noticed; one that acted for long enough could', () => {
    const lapsed = (at: number): Event => ({
      at,
      name: 'fault:undo',
      data: { lease: 'l1', why: 'lapsed', verified: true },
    });
    const unseen = { detection: [], end: withheld(stretch(4200, 5400)) };
    const { verdict, reasons } = trialOf(story({ ...unseen, undo: [lapsed(5400)] }));
    assert.equal(verdict, 'inconclusive', reasons.join('\n'));
    assert.match(reasons[0]!, /The fault lapsed after 1289 ms \(#\d+\), since the machine withheld 1200 ms of that/);
    assert.equal(verdictOf(unseen), 'broken');
    assert.equal(verdictOf({ detection: [], end: withheld(stretch(4200, 4300)), undo: [lapsed(5400)] }), 'broken');
  });

  test('nothing excuses a restart of the untouched, a lost message or a false check', () => {
    const end = withheld(stretch(4100, 5520));
    const lost = altered('sample', (data) => ({
      ...data,
      messages: { accepted: 50, handled: 49, rejected: 0, lost: 1 },
    }));
    assert.equal(verdictOf({ end, other: [other(4300)] }), 'broken');
    assert.equal(verdictOf({ end, sample: lost }), 'broken');
    assert.equal(verdictOf({ end, checks: altered('checks', (data) => ({ ...data, ok: false })) }), 'broken');
  });
});
