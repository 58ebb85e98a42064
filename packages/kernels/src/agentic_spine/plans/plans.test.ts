import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { GraceError } from '@grace/contracts';
import fc from 'fast-check';
import { matchPattern, wordsOf } from '../choose/pattern.ts';
import { parsePlan } from './file.ts';
import { createLibrary } from './library.ts';
import { PLAN_LIMITS } from './plan.ts';
import { fill } from './template.ts';

const FOLDER = new URL('../../../../../configs/plans/', import.meta.url);

const GOOD = `format: 1
id: example
title: An example
goal:
  patterns: ['keep {what...} in {place}']
  keywords: [keep]
when: has(input.place)
inputs:
  what: { type: text }
  place: { type: name, default: home }
steps:
  - id: one
    call: { kernel: memory_fusion, verb: remember, input: { text: '{{input.what}}' } }
    repeat: idempotent
    retry: { attempts: 3, delay: 100ms }
    verify: { expect: answer.known == false }
    compensate: { kernel: memory_fusion, verb: forget, input: { id: '{{steps.one.answer.id}}' } }
  - id: two
    call: { kernel: scheduler, verb: add, input: { id: '{{input.place}}', payload: '{{steps.one.answer?}}' } }
    verify:
      call: { kernel: scheduler, verb: jobs, input: { id: '{{input.place}}' } }
      expect: seen != null
post: { expect: steps.two.answer.id == input.place }
deadline: 10m
`;

/** The message for `GOOD` with `from` replaced by `to`. */
function refusal(from: string, to: string, kernels?: string[]): string {
  assert.ok(GOOD.includes(from), `the example contains ${from}`);
  try {
    parsePlan(GOOD.replace(from, to), 'example.yaml', kernels);
  } catch (error) {
    assert.ok(error instanceof GraceError);
    assert.equal(error.code, 'CONFIG_INVALID');
    return error.message;
  }
  throw new Error(`accepted: ${to}`);
}

describe('plan files', () => {
  test('a plan is read with its times in milliseconds and nothing optional', () => {
    const plan = parsePlan(GOOD, 'example.yaml', ['memory_fusion', 'scheduler']);
    assert.deepEqual([plan.deadlineMs, plan.steps[0]!.delayMs, plan.steps[1]!.compensate], [600_000, 100, null]);
    assert.deepEqual(plan.inputs['place'], { type: 'name', title: '', required: false, fallback: 'home', from: null });
  });

  test('every plan of the product is valid and stands in the file of its name', async () => {
    const files = readdirSync(FOLDER).filter((name) => name.endsWith('.yaml'));
    assert.ok(files.length >= 3);
    for (const file of files)
      assert.equal(`${parsePlan(readFileSync(new URL(file, FOLDER), 'utf8'), file).id}.yaml`, file);
    const library = await createLibrary(files.map((file) => new URL(file, FOLDER).pathname));
    assert.equal(library.all().length, files.length);
    await assert.rejects(createLibrary([library.all()[0], library.all()[0]]), { code: 'CONFIG_INVALID' });
    await assert.rejects(createLibrary(['/nowhere/plan.yaml']), { code: 'CONFIG_UNREADABLE' });
  });

  test('the plan that the documentation shows is valid', () => {
    const page = readFileSync(new URL('../../docs/kernels/agentic_spine.md', FOLDER), 'utf8');
    const shown = /```yaml\n(format: 1[\s\S]*?)```/.exec(page)![1]!;
    assert.equal(parsePlan(shown, 'docs/kernels/agentic_spine.md', ['memory_fusion', 'scheduler']).steps.length, 2);
  });

  const wrong: [string, string, string, RegExp][] = [
    [
      'an unknown kernel',
      'kernel: scheduler, verb: add',
      'kernel: schedular, verb: add',
      /^example\.yaml:19:\d+: .*no kernel "schedular" \(did you mean "scheduler"/,
    ],
    ['an unknown field', 'retry: {', 'retries: {', /:15:\d+: .*did you mean "retry"/],
    [
      'a template that names a later step',
      "'{{input.what}}'",
      "'{{steps.two.answer.id}}'",
      /:13:\d+: .*step "two" is not done before this/,
    ],
    [
      'a template that names its own answer before it is there',
      "'{{input.what}}'",
      "'{{steps.one.answer}}'",
      /step "one" is not done before this/,
    ],
    [
      'a template that names no step',
      '{{steps.one.answer?}}',
      '{{steps.on.answer}}',
      /there is no step "on" \(did you mean "one"/,
    ],
    ['a template that names no input', "'{{input.what}}'", "'{{input.waht}}'", /no input "waht" \(did you mean "what"/],
    [
      'a template that names nothing',
      "'{{input.what}}'",
      "'{{inputs.what}}'",
      /begins with one of .*did you mean "input"/,
    ],
    ['a template that is not closed', "'{{input.what}}'", "'{{input.what'", /expected each "\{\{" with its "\}\}"/],
    [
      'a condition that names a later step',
      'answer.known == false',
      'steps.two.answer.id == 1',
      /step "two" is not done before this/,
    ],
    ['a condition that is no CEL', 'answer.known == false', 'answer.known ==', /expected valid CEL/],
    [
      'a condition over something unknown',
      'answer.known == false',
      'anser.known',
      /Unknown variable: anser \(did you mean "answer"/,
    ],
    ['a condition that is no condition', 'answer.known == false', `'"yes"'`, /true or false, got one of type string/],
    [
      'a retry of what may not be repeated',
      'repeat: idempotent',
      'repeat: no',
      /expected text|idempotent, keyed|only a verb that is declared/,
    ],
    ['a key that is not given', 'repeat: idempotent', 'repeat: keyed', /expected \{\{key\}\} in the input/],
    [
      'a look by a verb that acts',
      'kernel: scheduler, verb: jobs',
      'kernel: scheduler, verb: run',
      /scheduler\.run is not known to only look/,
    ],
    [
      'a call of itself',
      'kernel: scheduler, verb: add',
      'kernel: agentic_spine, verb: submit',
      /does not call itself: a circle/,
    ],
    ['a step that takes a secret', 'kernel: scheduler, verb: add', 'kernel: secret_manager, verb: get', /kept on disk/],
    ['a step that gives one', 'kernel: scheduler, verb: add', 'kernel: secret_manager, verb: set', /kept on disk/],
    [
      'any verb of a kernel that somebody names',
      'kernel: scheduler, verb: add',
      "kernel: '{{input.place}}', verb: add",
      /only be asked for its status/,
    ],
    ['two steps of one name', 'id: two', 'id: one', /"one" twice/],
    ['a pattern with an input that is not there', '{place}', '{palce}', /no input "palce" \(did you mean "place"/],
    ['a pattern that fits everything', 'keep {what...} in {place}', '{what...}', /at least one word/],
    ['a time without end', 'deadline: 10m', 'deadline: 100d', /expected a time from 100 to/],
    ['another format', 'format: 1', 'format: 2', /format/],
  ];
  for (const [what, from, to, message] of wrong)
    test(`with ${what} is refused with its place`, () =>
      assert.match(refusal(from, to, ['memory_fusion', 'scheduler', 'agentic_spine']), message));

  test('what is too large is refused', () => {
    assert.match(refusal('An example', 'x'.repeat(300)), /title/);
    assert.match(refusal("'{{input.what}}'", `'${'{{input.what}}'.repeat(60)}'`), /at most 50 templates/);
    assert.match(refusal("'{{input.what}}'", `'${'x'.repeat(9000)}'`), /at most 8192 characters/);
    assert.throws(() => parsePlan(' '.repeat(70_000), 'x'), { code: 'CONFIG_INVALID' });
  });

  test('whatever the text, the answer is a plan or a GraceError', () => {
    const lines = GOOD.split('\n');
    fc.assert(
      fc.property(fc.nat(lines.length - 1), fc.string({ maxLength: 40 }), (at, text) => {
        const changed = lines.with(at, text).join('\n');
        try {
          parsePlan(changed, 'x');
        } catch (error) {
          assert.ok(error instanceof GraceError, String(error));
        }
      }),
      { numRuns: 60 },
    );
  });
});

describe('templates', () => {
  const scope = {
    input: { n: 3, text: 'hi', list: [{ id: 'a' }] },
    steps: { cut: { answer: { truncated: true, chars: 9, head: '' } } },
  };

  test('alone keep the type of the value, in a text become text, and may be missing when they say so', () => {
    const given = {
      n: '{{input.n}}',
      text: 'n={{ input.n }}!',
      deep: ['{{input.list.0.id}}'],
      gone: '{{input.gone?}}',
      none: 'a{{input.gone?}}b',
    };
    assert.deepEqual(fill(given, scope), { n: 3, text: 'n=3!', deep: ['a'], gone: null, none: 'ab' });
    assert.throws(() => fill('{{input.gone}}', scope), { code: 'BAD_INPUT' });
    assert.throws(() => fill('{{steps.cut.answer.id}}', scope), {
      code: 'BAD_INPUT',
      message: /too large to be kept whole/,
    });
  });

  test('never reach a prototype', () => {
    for (const path of ['input.constructor', 'input.__proto__', 'input.text.length', 'toString'])
      assert.throws(() => fill(`{{${path}}}`, scope), { code: 'BAD_INPUT' }, path);
  });

  test('are bounded in what they make', () => {
    const large = { input: { x: 'x'.repeat(1000) } };
    assert.throws(() => fill(Array(100).fill('{{input.x}} {{input.x}}'), large), { code: 'TOO_LARGE' });
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4 }), fc.string({ maxLength: 300 }), (template, x) => {
        let made: unknown;
        try {
          made = fill(template, { input: { x } });
        } catch (error) {
          assert.ok(error instanceof GraceError);
          return;
        }
        const texts = JSON.stringify(made)?.length ?? 0;
        assert.ok(texts <= 6 * PLAN_LIMITS.inputChars + (JSON.stringify(template)?.length ?? 0));
      }),
    );
  });

  test('what has none stays as it is', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 4, stringUnit: fc.constantFrom('a', '{', ' ', '"') }), (value) => {
        fc.pre(!JSON.stringify(value).includes('{{'));
        assert.deepEqual(fill(value, {}), value);
      }),
    );
  });
});

describe('patterns', () => {
  const word = fc.stringMatching(/^[a-z][a-z0-9_]{0,6}$/);

  test('find again what was put into them', () => {
    fc.assert(
      fc.property(fc.array(word, { minLength: 1, maxLength: 5 }), word, (what, place) => {
        fc.pre(!what.includes('in'));
        const goal = wordsOf(`Keep ${what.join('  ')} in "${place}".`);
        const match = matchPattern('keep {what...} in {place}', goal);
        assert.deepEqual(match?.inputs, { what: what.join(' '), place });
        assert.equal(match?.literal, 2);
      }),
    );
  });

  test('fit the whole goal or not at all, and always end', () => {
    const hole = fc.constantFrom('keep', 'in', '{what}', '{what...}', '{place}');
    fc.assert(
      fc.property(
        fc.array(hole, { minLength: 1, maxLength: 6 }),
        fc.array(fc.constantFrom('keep', 'in', 'x'), { maxLength: 8 }),
        (pattern, words) => {
          const match = matchPattern(pattern.join(' '), words);
          if (!match) return;
          const taken = Object.values(match.inputs).join(' ').split(' ').filter(Boolean).length;
          assert.ok(match.literal + taken <= words.length);
          if (!pattern.some((part) => part.startsWith('{'))) assert.deepEqual(pattern, words);
        },
      ),
    );
  });
});
