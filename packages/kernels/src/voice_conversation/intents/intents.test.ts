import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { GraceError } from '@grace/contracts';
import fc from 'fast-check';
import { matchPhrase, parsePhrase } from './grammar.ts';
import { kernelNamed } from './kernel-name.ts';
import type { Live } from './live.ts';
import { INTENTS } from './table.ts';
import { tellFacts, tellWork } from './tell.ts';
import { ANSWER_MAX, asked, Understanding } from './understand.ts';
import { WORDS_MAX, wordsOf } from './words.ts';

const KERNELS = ['message_bus', 'immutable_log', 'librarian', 'health_monitor', 'self_healing', 'scheduler'];
const understanding = new Understanding(INTENTS);

function view(answers: Record<string, unknown>, more: Partial<Live> = {}): Omit<Live, 'examples'> {
  return {
    kernels: KERNELS,
    nowMs: () => Date.UTC(2026, 10, 23, 12),
    before: null,
    isSpoken: false,
    ask: (kernel, verb) =>
      asked(() => {
        const key = `${kernel}.${verb}`;
        if (!Object.hasOwn(answers, key)) throw new GraceError('BUS_NO_RESPONDERS', `nobody answers ${key}`);
        return Promise.resolve(answers[key]);
      }),
    ...more,
  };
}

describe('phrases', () => {
  const slots = (phrase: string, said: string) => matchPhrase(parsePhrase(phrase), wordsOf(said));

  test('match all of what was said, with words said or left out, and one of several', () => {
    const phrase = '[tell me] how (is|are) {kernel} [now|right now]';
    assert.deepEqual(slots(phrase, "Tell me: how's the librarian, right now?!"), { kernel: ['the', 'librarian'] });
    assert.deepEqual(slots(phrase, 'HOW ARE the jobs'), { kernel: ['the', 'jobs'] });
    assert.equal(slots(phrase, 'how is'), null);
    assert.equal(slots(phrase, 'and how is the librarian'), null);
    assert.equal(slots(phrase, 'how is one two three four five'), null, 'a name has four words at most');
    assert.deepEqual(slots('find {rest} please', 'find a b please please'), { rest: ['a', 'b', 'please'] });
  });

  test('that are not well formed are refused with what is wrong', () => {
    for (const [phrase, what] of [
      ['how (is', /"\(" is not closed/],
      ['how is)', /closes or divides nothing/],
      ['a | b', /closes or divides nothing/],
      ['{kernal}', /none of/],
      ['[now]', /saying nothing/],
      ['', /saying nothing/],
      ['((((( a )))))', /deeper than/],
      ['x'.repeat(301), /longer than/],
    ] as const)
      assert.throws(() => parsePhrase(phrase), { code: 'BAD_INPUT', message: what }, phrase);
  });

  test('whatever stands in them, are parsed or refused, and match at most what was said', () => {
    const piece = fc.constantFrom(
      'how',
      'is',
      'it',
      '(',
      ')',
      '[',
      ']',
      '|',
      '{kernel}',
      '{rest}',
      ' ',
      '{',
      '}',
      'ü',
      '\0',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 25 }), fc.string({ maxLength: 60 }), (pieces, said) => {
        let parts: ReturnType<typeof parsePhrase>;
        try {
          parts = parsePhrase(pieces.join(' '));
        } catch (error) {
          assert.ok(error instanceof GraceError && error.code === 'BAD_INPUT', String(error));
          return;
        }
        const words = wordsOf(said);
        const found = matchPhrase(parts, words);
        for (const slot of Object.values(found ?? {})) assert.ok(slot.every((word) => words.includes(word)));
        if (words.length === 0) assert.equal(found, null);
      }),
      { numRuns: 1500 },
    );
  });

  test('made to be slow are not: places are followed side by side', () => {
    const phrase = parsePhrase(`${'[a|a a|a a a] '.repeat(20)}b`);
    assert.equal(
      matchPhrase(
        phrase,
        Array.from({ length: WORDS_MAX }, () => 'a'),
      ),
      null,
    );
    const slots = parsePhrase('{rest} x {rest} y {rest} z {rest} q');
    assert.equal(
      matchPhrase(
        slots,
        Array.from({ length: WORDS_MAX }, (_, i) => 'xyz'[i % 3]!),
      ),
      null,
    );
  });
});

describe('what is understood', () => {
  test('is each example, as its own intent, and no intent has a phrase that another takes from it', () => {
    for (const { id, example } of INTENTS) assert.equal(understanding.read(example)?.intent.id, id, example);
  });

  for (const [said, intent, kernel] of [
    ['How is the librarian?', 'kernel_status', 'the librarian'],
    ["what's the librarian doing right now", 'kernel_status', 'the librarian'],
    ['status of self-healing', 'kernel_status', 'self-healing'],
    ['Is the message bus ok?', 'kernel_status', 'the message bus'],
    ['what happened today', 'today', undefined],
    ['What are you working on?', 'work', undefined],
    ["How's everything today?", 'system_health', undefined],
    ['Were there any problems today?', 'incidents', undefined],
    ['what do you remember about the blue printer', 'recall', undefined],
  ] as const) {
    test(`is "${said}" as ${intent}`, () => {
      const found = understanding.read(said)!;
      assert.equal(found.intent.id, intent);
      assert.equal(found.slots.kernel?.join(' '), kernel);
    });
  }

  test('is nothing in noise, hostile strings or very long ones, and that is no error', async () => {
    for (const said of [
      '',
      '   ',
      '💥',
      "'; DROP TABLE sessions; --",
      '\0\u202e\ud800',
      '((((',
      'how '.repeat(50_000),
    ]) {
      const answer = await understanding.answer(said, view({}));
      assert.ok(answer.answer.length > 0 && answer.answer.length <= ANSWER_MAX, said.slice(0, 20));
      assert.deepEqual([answer.intent, answer.calls], [null, []], said.slice(0, 20));
    }
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.string({ unit: 'binary', maxLength: 200 }),
          fc.lorem().map((s) => `how is ${s}`),
        ),
        async (said) => {
          const { answer, calls } = await understanding.answer(said, view({}));
          assert.ok(answer.length > 0 && answer.length <= ANSWER_MAX && calls.length <= 6);
        },
      ),
      { numRuns: 300 },
    );
  });
});

describe('a kernel', () => {
  test('is named by its id, in words, in part when one alone has it, and else the nearest is told', () => {
    for (const [said, id] of [
      ['the librarian', 'librarian'],
      ['message bus', 'message_bus'],
      ['the message-bus', 'message_bus'],
      ['self_healing kernel', 'self_healing'],
      ['the log', 'immutable_log'],
      ['the healing', 'self_healing'],
    ] as const)
      assert.deepEqual(
        kernelNamed(wordsOf(said), KERNELS),
        { kind: 'known', id, said: kernelNamed(wordsOf(said), KERNELS).said },
        said,
      );
    assert.deepEqual(kernelNamed(['libarian'], KERNELS), { kind: 'unknown', said: 'libarian', near: 'librarian' });
    assert.deepEqual(kernelNamed(['weather'], KERNELS), { kind: 'unknown', said: 'weather', near: undefined });
    fc.assert(
      fc.property(fc.array(fc.string({ minLength: 1 }), { minLength: 1, maxLength: 4 }), (words) => {
        const named = kernelNamed(words, KERNELS);
        assert.ok(named.kind === 'unknown' || KERNELS.includes(named.id));
      }),
    );
  });
});

describe('answers', () => {
  const say = (text: string, answers: Record<string, unknown>, more: Partial<Live> = {}) =>
    understanding.answer(text, view(answers, more));

  test('say what the status says now, and nothing of what it said before', async () => {
    for (const documents of [3, 4]) {
      const { answer, calls } = await say('how is the librarian?', {
        'librarian.status': { documents, watches: ['/a', '/b'] },
      });
      assert.equal(answer, `librarian answers: documents ${documents}, watches 2.`);
      assert.deepEqual(
        calls.map(({ ms: _, ...call }) => call),
        [{ kernel: 'librarian', verb: 'status', ok: true }],
      );
    }
  });

  test('say it when nobody answers, with the code', async () => {
    const { answer, calls } = await say('how is the librarian?', {});
    assert.match(answer, /^librarian does not answer now: BUS_NO_RESPONDERS/);
    assert.equal(calls[0]!.code, 'BUS_NO_RESPONDERS');
  });

  test('of another shape than expected are told as that, not thrown', async () => {
    for (const value of [null, 7, 'text', [], { moments: 3 }])
      for (const text of [
        'what happened today',
        'how is the system?',
        'what is due?',
        'what did you decide?',
        'find x',
      ]) {
        const { answer } = await say(text, {
          'clarity_framework.timeline': value,
          'clarity_framework.decisions': value,
          'health_monitor.health': value,
          'scheduler.due': value,
          'librarian.search': value,
        });
        assert.ok(answer.length > 0, text);
      }
  });

  test('propose the nearest kernel, and "yes" asks it; misheard names are taken, typed ones are not', async () => {
    const proposed = await say('how is the libarian?', {});
    assert.deepEqual([proposed.suggestion, proposed.calls], ['librarian', []]);
    assert.match(proposed.answer, /Did you mean librarian\?/);
    const answers = { 'librarian.status': { documents: 5 } };
    const yes = await say('yes', answers, { before: { answer: proposed.answer, suggestion: proposed.suggestion } });
    assert.equal(yes.answer, 'librarian answers: documents 5.');
    assert.match((await say('yes', answers)).answer, /Nothing was proposed/);
    const heard = await say('how is the libarian?', answers, { isSpoken: true });
    assert.equal(heard.answer, 'librarian answers: documents 5.');
    assert.match((await say('how is the carpenter?', answers, { isSpoken: true })).answer, /No kernel is called/);
  });

  test('count what happened, name who is busy, and repeat themselves', async () => {
    const moments = [
      { atMs: 1, name: 'kernel:ready', text: 'a is ready' },
      { atMs: 2, name: 'incident:open', text: 'b crashed' },
      { atMs: 3, name: 'kernel:ready', text: 'b is ready' },
    ];
    const timeline = { 'clarity_framework.timeline': { moments, more: false } };
    assert.equal(
      (await say('what happened today?', timeline)).answer,
      'Since midnight 3 events: 2 kernel:ready, 1 incident:open. Latest: b crashed; b is ready.',
    );
    assert.equal(
      (await say('any incidents today', timeline)).answer,
      'Since midnight 1 event of incidents: 1 incident:open. Latest: b crashed.',
    );
    const work = await say('what are you working on?', {
      'self_healing.status': { active: [{}], runs: { running: 1 } },
      'librarian.status': { waiting: 0 },
    });
    assert.match(
      work.answer,
      /self_healing: active 1, runs\.running 1\. scheduler does not answer now|scheduler does not answer now/,
    );
    assert.match(work.answer, /self_healing: active 1, runs\.running 1/);
    assert.match(work.answer, /nothing under way: librarian/);
    assert.equal((await say('say that again', {}, { before: { answer: 'so', suggestion: null } })).answer, 'so');
    assert.match((await say('help', {})).answer, /how is the librarian\?/);
  });

  test('tell any value in bounded words', () => {
    assert.equal(
      tellFacts({ a: 1, b: { c: 'x', d: { e: 1 } }, list: [1, 2], none: null, f: 1.239 }),
      'a 1, b.c x, list 2, none null, f 1.24',
    );
    assert.equal(tellFacts(undefined), 'nothing to tell');
    assert.equal(tellWork({ a: { running: 0 }, b: { waiting: 2 } }), 'b.waiting 2');
    fc.assert(fc.property(fc.anything(), (value) => void assert.ok(tellFacts(value).length < 5000)));
    const circle: Record<string, unknown> = {};
    circle['self'] = circle;
    assert.equal(tellFacts(circle), 'nothing to tell');
  });
});
