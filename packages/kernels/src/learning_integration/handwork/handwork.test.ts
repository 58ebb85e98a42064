import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { AnyRecord } from '@grace/contracts';
import fc from 'fast-check';
import { parsePlaybook } from '../../self_healing/playbook/parse.ts';
import { withBooks } from '../fixtures/books.ts';
import { journal } from '../fixtures/records.ts';
import { type Draft, draftOf } from './draft.ts';
import { patternsOf } from './pattern.ts';

const draftsOf = (records: readonly AnyRecord[]): Draft[] =>
  withBooks(({ handwork, hear }) => {
    hear(records);
    return patternsOf(handwork.episodes(), handwork.acts()).map((pattern) => draftOf(pattern, parsePlaybook));
  });

/** As many incidents of the librarian, each ended by what `fix` does. */
function incidents(times: number, fix: (write: ReturnType<typeof journal>, i: number) => AnyRecord[]): AnyRecord[] {
  const write = journal();
  return Array.from({ length: times }, (_, i) => i).flatMap((i) => {
    const open = write.opened(`i${i}`, 'kernel_hung', 'librarian');
    const done = fix(write, i);
    return [open, ...done, write.closed(`i${i}`)];
  });
}

describe('what people did by hand', () => {
  test('three times against incidents of one kind becomes a draft that self_healing could load', () => {
    const [draft, ...others] = draftsOf(incidents(3, ({ hand }) => [hand('restart', 'librarian')]));
    assert.deepEqual(others, []);
    assert.deepEqual([draft!.kind, draft!.acts, draft!.times, draft!.by], ['kernel_hung', ['restart'], 3, ['cli']]);
    assert.deepEqual(draft!.provenance, { incidents: ['i0', 'i1', 'i2'], records: [2, 5, 8] });
    const playbook = parsePlaybook(draft!.yaml!, 'draft.yaml');
    assert.equal(playbook.id, draft!.id);
    assert.deepEqual(playbook.trigger, ['kernel_hung']);
    assert.deepEqual(
      playbook.steps.map(({ action }) => action.kind),
      ['restart', 'probe'],
    );
    assert.match(draft!.yaml!, /# Incidents: i0, i1, i2\n# Journal records: 2, 5, 8\n/);
  });

  for (const [name, records] of Object.entries({
    'twice is no habit': incidents(2, ({ hand }) => [hand('restart', 'librarian')]),
    'in another way each time is no habit': incidents(3, ({ hand, muted }, i) =>
      i === 2 ? [muted('librarian', 5)] : [hand('restart', 'librarian')],
    ),
    'of which a kernel did the most is no manual fix': incidents(3, ({ hand }) => [
      hand('restart', 'librarian', 'self_healing'),
    ]),
    'while a playbook healed it is no fix': incidents(3, ({ hand, ended }, i) => [
      hand('restart', 'librarian'),
      ended(`r${i}`, 'p', `i${i}`, 'healed'),
    ]),
    'to give up is no fix': incidents(4, ({ hand }) => [hand('restart', 'librarian'), hand('pause', 'librarian')]),
    'outside of an incident is no fix': (() => {
      const { hand } = journal();
      return [1, 2, 3, 4].map(() => hand('restart', 'librarian'));
    })(),
    'to an incident that is still open has fixed nothing': incidents(3, ({ hand }) => [
      hand('restart', 'librarian'),
    ]).filter(({ name }) => name !== 'incident:close'),
  }))
    test(name, () => assert.deepEqual(draftsOf(records), []));

  test('to another than the incident is about keeps the name', () => {
    const [draft] = draftsOf(
      incidents(3, ({ hand }) => [hand('restart', 'memory_fusion'), hand('restart', 'librarian')]),
    );
    assert.deepEqual(draft!.acts, ['restart memory_fusion', 'restart']);
    const { steps } = parsePlaybook(draft!.yaml!, 'draft.yaml');
    assert.deepEqual(
      steps.map(({ action }) => 'kernel' in action && action.kernel),
      ['memory_fusion', 'memory_fusion', `\${target.id}`, `\${target.id}`],
    );
  });

  test('while two incidents were open belongs to neither, when it was done to another', () => {
    const write = journal();
    const records = [0, 1, 2].flatMap((i) => [
      write.opened(`a${i}`, 'kernel_hung', 'librarian'),
      write.opened(`b${i}`, 'kernel_hung', 'sandbox'),
      write.hand('restart', 'memory_fusion'),
      write.closed(`a${i}`),
      write.closed(`b${i}`),
    ]);
    assert.deepEqual(draftsOf(records), []);
  });

  test('of mutes becomes a mute as long as they usually were', () => {
    const write = journal();
    const records = [4000, 6000, 90_000].flatMap((periodMs, i) => [
      write.opened(`i${i}`, 'acl_violation', 'intruder'),
      write.muted('intruder', periodMs, 'api_server:ops'),
      write.closed(`i${i}`),
    ]);
    const [draft] = draftsOf(records);
    const { steps } = parsePlaybook(draft!.yaml!, 'draft.yaml');
    assert.deepEqual(steps[0]!.action, {
      ...{ kind: 'verb', kernel: 'message_bus', verb: 'mute' },
      input: { principal: `\${run.target}`, periodMs: 6000 },
    });
  });

  test('of repairs of the audit record becomes one, and of the journal none', () => {
    const repairs = (by: string, subject: string): Draft[] => {
      const write = journal();
      return draftsOf(
        [0, 1, 2].flatMap((i) => [
          write.opened(`i${i}`, 'record_damaged', subject),
          write.repaired(by),
          write.closed(`i${i}`),
        ]),
      );
    };
    const [draft] = repairs('cli', 'immutable_log');
    assert.equal(parsePlaybook(draft!.yaml!, 'draft.yaml').steps.length, 2);
    assert.deepEqual(repairs('supervisor', 'immutable_log'), []);
  });

  for (const order of ['throttle', 'isolate', 'resume'] as const)
    test(`that no playbook can do is said to be so: ${order}`, () => {
      const [draft] = draftsOf(incidents(3, ({ hand }) => [hand(order, 'librarian')]));
      assert.equal(draft!.yaml, null);
      assert.match(draft!.why!, new RegExp(`no action for ${order}`));
    });

  test('with hostile names stays a name, and widens nothing', () => {
    for (const name of [`\${run.id}`, 'x" } }\nid: other', "'; --", 'message_bus, verb: unmute, x: {']) {
      const write = journal();
      const records = [0, 1, 2].flatMap((i) => [
        write.opened(`i${i}`, 'acl_violation', 'intruder'),
        write.muted(name, 1000),
        write.closed(`i${i}`),
      ]);
      const [draft] = draftsOf(records);
      if (name.startsWith('$')) {
        // It would stand for something else.
        assert.equal(draft!.yaml, null);
        continue;
      }
      const { steps, id } = parsePlaybook(draft!.yaml!, 'draft.yaml');
      assert.equal(id, draft!.id);
      assert.deepEqual(steps.length, 1);
      assert.deepEqual(steps[0]!.action, {
        ...{ kind: 'verb', kernel: 'message_bus', verb: 'mute', input: { principal: name, periodMs: 1000 } },
      });
    }
  });

  test('gives drafts that are playbooks, or says why not, whatever it was', () => {
    const act = fc.record({
      order: fc.constantFrom('restart', 'pause', 'resume', 'isolate', 'quarantine', 'throttle', 'mute' as const),
      target: fc.constantFrom('librarian', 'sandbox', 'memory_fusion'),
    });
    fc.assert(
      fc.property(fc.array(act, { minLength: 1, maxLength: 5 }), (acts) => {
        const drafts = draftsOf(
          incidents(3, ({ hand, muted }) =>
            acts.map(({ order, target }) => (order === 'mute' ? muted(target, 1000) : hand(order, target))),
          ),
        );
        for (const { yaml, why, id } of drafts) {
          if (yaml === null) assert.match(why!, /no action for/);
          else assert.equal(parsePlaybook(yaml, 'draft.yaml').id, id);
        }
        const last = acts.at(-1)!.order;
        assert.equal(drafts.length, last === 'pause' || last === 'quarantine' ? 0 : 1);
      }),
      { numRuns: 40 },
    );
  });
});
