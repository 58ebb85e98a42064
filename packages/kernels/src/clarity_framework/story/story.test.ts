import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { crash } from '../fixtures/records.ts';
import { happeningOf } from '../happenings/happening.ts';
import { incidentStory } from './incident-story.ts';
import { CHAPTERS } from './story.ts';

const all = crash().map((record) => happeningOf(record)!);
const storyOf = (happenings: typeof all) =>
  incidentStory({ id: 'inc-test-1', happenings, decisions: [], incident: null });

describe('the story of an incident', () => {
  test('of which everything was heard leaves one thing open: why this playbook', () => {
    const story = storyOf(all);
    assert.deepEqual(
      [story.first[0]?.text, story.noticed[0]?.text, story.state],
      [
        'a drill injected uncaught_throw into librarian on purpose',
        'exit noticed it of librarian: {"code":1}',
        'closed',
      ],
    );
    assert.match(story.decided[0]!.text, /^supervisor decided to restart librarian .*, because: cause crash$/);
    assert.match(story.done.map(({ text }) => text).join(), /step wait of the playbook was done/);
    assert.match(story.ended.at(-1)!.text, /^the incident was closed: ready again$/);
    assert.equal(story.notEstablished.length, 1);
    assert.match(story.notEstablished[0]!, /^why playbook kernel_crash was chosen for librarian/);
  });

  test('says of each missing link that it is not established, and makes nothing up', () => {
    fc.assert(
      fc.property(fc.subarray(all), (heard) => {
        const story = storyOf(heard);
        const seqs = new Set(heard.map(({ seq }) => seq));
        for (const chapter of CHAPTERS) {
          assert.ok(story[chapter].length > 0, `${chapter} says something, if only that nothing is known`);
          for (const { established, links, text } of story[chapter]) {
            assert.equal(established, !text.startsWith('not established'));
            if (established) assert.ok(links.length > 0, text);
            for (const link of links) if ('record' in link) assert.ok(seqs.has(link.record));
          }
        }
        const has = (name: string): boolean => heard.some((happening) => happening.name === name);
        const open = (pattern: RegExp): boolean => story.notEstablished.some((text) => pattern.test(text));
        assert.equal(open(/which detector/), !has('detector:fire'));
        assert.equal(open(/how it ended/), !has('incident:close'));
        assert.equal(open(/that anybody decided/), !has('kernel:restart') && !has('playbook:start'));
        assert.equal(story.state === 'closed', has('incident:close'));
      }),
      { numRuns: 200 },
    );
  });

  test('of many records is told by its beginning and its end', () => {
    const step = all.find(({ name }) => name === 'playbook:step')!;
    const many = Array.from({ length: 1000 }, (_, i) => ({ ...step, seq: 100 + i, atMs: step.atMs + i }));
    const { done } = storyOf([...all, ...many]);
    assert.ok(done.length <= 201);
    assert.ok(done.some(({ text }) => /sentences are left out here/.test(text)));
  });
});
