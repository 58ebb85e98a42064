import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { AnyRecord } from '@grace/contracts';
import fc from 'fast-check';
import { storyOf } from '../src/explain/tell.ts';
import { blockedKernel } from './story/blocked-kernel.ts';
import { bounds } from './story/bounds.ts';
import { has, texts } from './story/case.ts';
import { causes } from './story/causes.ts';
import { measures } from './story/measures.ts';
import { waits } from './story/waits.ts';
import { WrittenJournal } from './written-journal.ts';

const cases = [...waits, ...causes, ...measures, ...bounds];

describe('the story of a kernel in a native call', () => {
  const story = storyOf(blockedKernel().records, 'inc-1');

  test('begins with what was first seen, by which signal, with its evidence', () => {
    assert.deepEqual(story.seen[0], {
      atMs: 0,
      text: 'heartbeat: no heartbeat for 700 ms, 1 ms of CPU burnt and 4 ms waited for a processor in 400 ms, event loop held 100 %',
      events: [6],
    });
    assert.deepEqual(story.seen[1], {
      atMs: 160,
      text: 'functional probe: a functional probe unanswered for 160 ms',
      events: [7],
    });
  });

  test('tells what the judgement said before and then, and how sure it was', () => {
    assert.deepEqual(
      story.judged.map(({ atMs, events }) => [atMs, events]),
      [
        [-400, [3]],
        [0, [4]],
      ],
    );
    assert.match(story.judged[1]!.text, /^worker: late -> blocked, confidence 0\.97: no heartbeat for 700 ms/);
  });

  test('names what was ruled out, by figures of the record', () => {
    assert.deepEqual(has(story.ruledOut, /^not starved: of 400 ms it waited 4 ms \(1 %\) for a processor/).events, [4]);
    has(story.ruledOut, /^not looping: it burnt 1 ms of CPU in 400 ms/);
    has(story.ruledOut, /^not a stopped timer/);
    has(story.ruledOut, /^not a full machine/);
    has(story.ruledOut, /^not a late observer/);
    has(story.ruledOut, /^not its whole cell: no other kernel of cell user/);
    has(story.ruledOut, /^no drill/);
  });

  test('tells what was tried, rung by rung', () => {
    const rungs = [
      /told to end: blocked/,
      /terminate did not return.*next: SIGKILL of the cell/,
      /moves from cell user to solo_worker: alone/,
      /cell user \(pid 70\) ended by order with SIGKILL, and with it worker, mate/,
      /restart of worker at once \(cause hung, attempt 1/,
      /worker is ready: incarnation 2/,
    ];
    assert.equal(story.tried.length, rungs.length, texts(story.tried).join('\n'));
    rungs.forEach((rung, i) => void assert.match(story.tried[i]!.text, rung));
  });

  test('tells who else was touched, and for how long', () => {
    assert.deepEqual(story.others, [
      {
        kernel: 'mate',
        fromMs: 1210,
        forMs: 290,
        text: 'down with cell user (its cell user ended); back as incarnation 2',
        linked: true,
        events: [13, 14],
      },
    ]);
  });

  test('says how it ended, what is established and what is not', () => {
    assert.deepEqual([story.state, story.lastedMs], ['closed', 1550]);
    assert.match(story.ending[0]!.text, /closed after 1\.6 s: the kernel is ready again/);
    has(story.cause.established, /one call kept its thread waiting/);
    has(story.cause.notEstablished, /in which call: a thread in native code shows no JavaScript stack/);
  });
});

describe('a story', () => {
  for (const { name, write, check } of cases) {
    test(name, () => {
      const journal = new WrittenJournal();
      write(journal);
      check(storyOf(journal.records, 'x'));
    });
  }

  test('of an incident that the records do not open is refused', () => {
    assert.throws(() => storyOf(blockedKernel().records, 'inc-2'), { code: 'UNKNOWN_INCIDENT' });
  });

  test('needs no more than the opening: whatever else is lost, it is told, and rests on records that are there', () => {
    const journals: [string, AnyRecord[]][] = [
      ['inc-1', blockedKernel().records],
      ...cases.map(({ write }): [string, AnyRecord[]] => {
        const journal = new WrittenJournal();
        write(journal);
        return ['x', journal.records];
      }),
    ];
    const losses = fc.tuple(fc.constantFrom(...journals), fc.infiniteStream(fc.boolean()));
    fc.assert(
      fc.property(losses, ([[id, records], stream]) => {
        const keep = stream[Symbol.iterator]();
        const left = records.filter(
          (record) => (record.name === 'incident:open' && record.data.incident.id === id) || keep.next().value,
        );
        const { seen, judged, ruledOut, tried, others, ending, cause } = storyOf(left, id);
        const there = new Set(left.map(({ seq }) => seq));
        const cited = [seen, judged, ruledOut, tried, others, ending, cause.established, cause.notEstablished];
        for (const { events } of cited.flat()) for (const event of events) assert.ok(there.has(event));
        for (const { events } of [...seen, ...judged, ...tried, ...ending, ...cause.established])
          assert.notEqual(events.length, 0);
        assert.ok(cause.established.length + cause.notEstablished.length > 0);
      }),
    );
  });
});
