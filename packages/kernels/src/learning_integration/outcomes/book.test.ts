import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { AnyRecord, PlaybookOutcome } from '@grace/contracts';
import fc from 'fast-check';
import { withBooks } from '../fixtures/books.ts';
import { journal } from '../fixtures/records.ts';
import { createForecast } from './knowledge.ts';
import { keyOfRun, type Outcome } from './outcome.ts';

const NOW = { nowMs: Date.now(), halfLifeMs: 30 * 24 * 3_600_000 };

const told = (run: string, more: Partial<Outcome> = {}): Outcome => ({
  ...{ key: keyOfRun(run), playbook: 'p', signature: 's', incident: null, end: 'healed', tookMs: 5, atMs: 1000 },
  ...{ by: 'self_healing', ...more },
});

describe('what is known of playbooks', () => {
  test('is the same however often records come, and in whatever order', () => {
    const kinds = ['kernel_hung', 'kernel_crash', 'flooding'] as const;
    const outcomes = ['healed', 'not healed', 'made worse', 'refused', 'dry run'] as const;
    const run = fc.record({
      playbook: fc.constantFrom('a', 'b', 'c'),
      incident: fc.nat({ max: 3 }),
      outcome: fc.constantFrom<PlaybookOutcome[]>(...outcomes),
      interrupted: fc.boolean(),
      isTold: fc.boolean(),
    });
    const order = fc.infiniteStream(fc.nat({ max: 1000 }));
    fc.assert(
      fc.property(fc.array(run, { minLength: 1, maxLength: 12 }), order, (runs, stream) => {
        const { opened, closed, ended, hand } = journal();
        const records = [0, 1, 2, 3].map((i) => opened(`i${i}`, kinds[i % 3]!, 'librarian'));
        for (const [i, { playbook, incident, outcome, interrupted }] of runs.entries())
          records.push(ended(`r${i}`, playbook, `i${incident}`, outcome, interrupted ? 'interrupted: it ended' : ''));
        records.push(hand('restart', 'librarian'), ...[0, 1, 2, 3].map((i) => closed(`i${i}`)));
        const state = (heard: readonly AnyRecord[], tells: readonly number[]) =>
          withBooks(({ outcomes: book, handwork, hear }) => {
            for (const record of heard) hear([record]);
            // What self_healing tells itself, with the signature, at its own time.
            for (const i of tells) {
              const { playbook, incident, outcome, interrupted } = runs[i]!;
              if (outcome === 'dry run') continue;
              const end =
                interrupted && outcome === 'not healed' ? 'interrupted' : (outcome.replace(' ', '_') as Outcome['end']);
              const { wallMs } = records.find((one) => one.name === 'playbook:end' && one.data.run === `r${i}`)!;
              const more = { playbook, end, incident: `i${incident}`, signature: kinds[incident % 3]!, tookMs: 50 };
              book.take(told(`r${i}`, { ...more, atMs: wallMs + 3 }), null, false);
            }
            return {
              statistics: book.statistics({ limit: 100 }),
              expected: ['a', 'b', 'c'].map((id) => createForecast(book, NOW)('kernel_hung', id)),
              episodes: handwork.episodes(),
              acts: handwork.acts(),
              counts: book.counts(),
            };
          });
        const shuffled = [...records, ...records.slice(0, records.length / 2), ...records.slice(3)]
          .map((record) => ({ record, at: stream.next().value as number }))
          .sort((a, b) => a.at - b.at)
          .map(({ record }) => record);
        const tells = runs.flatMap(({ isTold }, i) => (isTold ? [i, i] : []));
        const once = state(records, []);
        assert.deepEqual(state(shuffled, tells), once);
        const counted = once.statistics.reduce(
          (sum, { counts }) => sum + Object.values(counts).reduce((a, b) => a + b),
          0,
        );
        assert.equal(counted, runs.filter(({ outcome }) => outcome !== 'dry run').length, 'each run once');
      }),
      { numRuns: 40 },
    );
  });

  test('does not let one key stand for two outcomes', () => {
    withBooks(({ outcomes }) => {
      assert.equal(outcomes.take(told('r'), null, false), 'new');
      assert.equal(outcomes.take(told('r'), null, false), 'repeated');
      for (const other of [{ end: 'made_worse' }, { playbook: 'q' }, { signature: 't' }] as const)
        assert.throws(() => outcomes.take(told('r', other), null, false), { code: 'CONFLICT' });
      assert.equal(outcomes.counts().kept, 1);
    });
  });

  test('waits for the kind of an incident that is not known yet', () => {
    withBooks(({ outcomes, hear }) => {
      const { opened, ended } = journal();
      const open = opened('i1', 'kernel_hung', 'librarian');
      hear([ended('r1', 'p', 'i1', 'healed')]);
      assert.deepEqual(outcomes.counts(), { kept: 1, waiting: 1 });
      assert.deepEqual(outcomes.unresolved(9), ['i1']);
      assert.deepEqual(outcomes.signatures(), []);
      hear([open]);
      assert.deepEqual(outcomes.signatures(), ['kernel_hung']);
      assert.deepEqual(outcomes.counts(), { kept: 1, waiting: 0 });
    });
  });

  test('does not count a run that was about no incident', () => {
    withBooks(({ outcomes, hear }) => {
      hear([journal().ended('r1', 'p', '', 'healed')]);
      assert.equal(outcomes.counts().kept, 0);
    });
  });

  test('is bounded: the oldest go, and are not counted again when they are told once more', () => {
    withBooks(({ outcomes }) => {
      const runs = Array.from({ length: 25 }, (_, i) => told(`r${i}`, { atMs: 1000 + i }));
      for (const run of [...runs, ...runs]) {
        outcomes.take(run, null, true);
        outcomes.prune();
      }
      assert.equal(outcomes.counts().kept, 10);
      assert.equal(outcomes.take(runs[0]!, null, true), 'forgotten');
      assert.ok(!outcomes.has(runs[14]!.key) && outcomes.has(runs[15]!.key));
    }, 10);
  });
});
