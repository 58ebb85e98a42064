import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Conservation } from '@grace/contracts';
import { buildReport, renderJson, renderMarkdown } from '../src/index.ts';
import { section } from './read-markdown.ts';
import { runFixture } from './run-fixture.ts';

describe('the accounts of the messages', () => {
  const none = { rejected: 0, expired: 0, deadLettered: 0, waiting: 0, lost: 0 };
  const same = { accepted: 50, handled: 50, ...none };
  const agreed: Conservation = { workload: same, durable: same, broker: same, differences: [], why: null };

  /** The fixture without any. */
  function plain(): string {
    return renderMarkdown(buildReport(runFixture()), { ascii: false }).markdown;
  }

  /** The fixture with these accounts in its second trial and over the whole run. */
  function accounted(conservation: Conservation) {
    const { result, ...fixture } = runFixture();
    const trial = result.waves[1]!.trials[0]!;
    const isBad = conservation.differences?.length || conservation.broker?.lost;
    Object.assign(trial, { conservation, ...(isBad ? { verdict: 'broken' } : {}) });
    result.totals.conservation = conservation;
    const model = buildReport({ ...fixture, result });
    return { model, ...renderMarkdown(model, { ascii: false }), json: JSON.parse(renderJson(model)) };
  }

  test('stand side by side in the statistics and in the trial, from the broker and from the workload', () => {
    const { markdown, json } = accounted(agreed);
    const table = section(markdown, '### Conservation of messages');
    for (const side of ['whole run | workload, live', ' | workload, durable', ' | broker, everybody'])
      assert.ok(
        table.includes(`| ${side} | 50 | 50 | 0 | 0 | 0 | 0 | 0 | `.replace('|  |', '|  |')),
        `${side}\n${table}`,
      );
    assert.match(table, /the counters of the broker and of the workload agree/);
    const trial = section(markdown, '##### S04');
    assert.match(trial, /Messages \(workload, durable\): accepted 50, handled 50, .*, \*\*lost 0\*\*/);
    assert.match(trial, /Conservation: the counters of the broker and of the workload agree/);
    assert.deepEqual(json.totals.conservation, agreed);
    assert.deepEqual(json.waves[1].trials[0].conservation, agreed);
  });

  test('that contradict each other are an issue, with both figures and where to look', () => {
    const { model, markdown } = accounted({
      ...agreed,
      broker: { ...same, lost: 3 },
      differences: ['accepted: the broker counts 40, the workload 50 to 52'],
    });
    const [issue] = model.issues.filter(({ trial }) => trial === 't2');
    assert.equal(issue!.severity, 'critical');
    assert.match(issue!.problem.text, /accepted 3 more than it handled/);
    assert.match(issue!.problem.text, /the broker counts 40, the workload 50 to 52/);
    assert.match(issue!.recommendation[0]!.text, /grace bus stats/);
    assert.match(section(markdown, '## Executive summary'), /the broker counts otherwise: accepted/);
    assert.match(section(markdown, '### Conservation of messages'), /\*\*they differ\*\*: accepted/);
  });

  test('that could not be compared say why, and are no issue', () => {
    const { model, markdown } = accounted({ ...agreed, broker: null, differences: null, why: 'it was restarted' });
    assert.deepEqual(model.issues, []);
    assert.match(section(markdown, '### Conservation of messages'), /broker, everybody \| not recorded .*/);
    assert.match(markdown, /not compared: it was restarted/);
  });

  test('of an older journal are what they were', () => {
    const markdown = plain();
    assert.doesNotMatch(markdown, /Conservation of messages/);
    assert.match(section(markdown, '##### S04'), /Messages: accepted 50, handled 50/);
  });
});

describe('a false check of the laboratory', () => {
  /** The crash of the fixture, as if this had been its check. */
  function withCheck(check: string) {
    const { records, result } = runFixture({ crash: 'lost', reacts: true });
    const trial = result.waves[0]!.trials[0]!;
    Object.assign(trial, {
      verdict: 'broken',
      verification: [{ check, expected: 'this', observed: 'that', ok: false }],
    });
    return buildReport({ records, result }).issues.find(({ trial: id }) => id === 't1')!;
  }

  const advice: [string, RegExp][] = [
    ['accepted_handled', /dead letters \(grace bus dead\)/],
    ['pushed_back', /BUS_OVERLOADED/],
    ['heartbeats_fresh', /control lane/],
    ['others_round_trips 250', /queue of the flooded subscriber/],
    ['grew_at_most 256', /a queue needs a bound/],
    ['damage_named gap', /grace log verify/],
    ['record_repaired restored or sealed', /grace log repair by hand/],
    ['record_whole', /still has flaws/],
    ['acknowledged_kept', /mirror/],
  ];
  for (const [check, words] of advice) {
    test(`${check}: the recommendation says where to look`, () => {
      assert.match(
        withCheck(check)
          .recommendation.map(({ text }) => text)
          .join(),
        words,
      );
    });
  }

  test('about damage has its cause in the chain from the injection to the record that shows it', () => {
    const { rootCause } = withCheck('damage_named gap');
    assert.equal(rootCause.established, true);
    assert.match(rootCause.chain.at(-1)!.text, /flaw in the record immutable_log/);
    const { rootCause: ofFlood } = withCheck('accepted_handled');
    assert.match(ofFlood.chain.at(-1)!.text, /the backlog of flood_consumer\/drill is gone/);
  });
});
