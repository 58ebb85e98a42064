import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { z } from 'zod';
import { GraceError } from '../errors.ts';
import { readDocument, readYaml } from './read-yaml.ts';
import { duration } from './values.ts';

const schema = z.strictObject({
  name: z.string(),
  count: z.int().min(1).optional(),
  mode: z.enum(['alpha', 'beta']).optional(),
  wait: duration.optional(),
  steps: z.array(z.strictObject({ verb: z.string() })).optional(),
  action: z
    .discriminatedUnion('kind', [
      z.strictObject({ kind: z.literal('call'), verb: z.string() }),
      z.strictObject({ kind: z.literal('wait') }),
    ])
    .optional(),
});

function messagesOf(text: string): string[] {
  try {
    readYaml(text, 'file.yaml', schema);
  } catch (error) {
    assert.ok(error instanceof GraceError);
    assert.equal(error.code, 'CONFIG_INVALID');
    return error.message.split('\n');
  }
  return [];
}

describe('readYaml', () => {
  test('a valid document comes back as its value', () => {
    assert.deepEqual(readYaml('name: x\nwait: 10s\n', 'f', schema), { name: 'x', wait: 10_000 });
  });

  test('an unknown key is named with its line, its column and the nearest valid key', () => {
    assert.deepEqual(messagesOf('name: x\n  \ncuont: 3\n'), [
      'file.yaml:3:1: cuont: expected one of name, count, mode, wait, steps, action, got the unknown key "cuont" (did you mean "count"?)',
    ]);
  });

  test('every problem is listed, in the order of the lines', () => {
    const messages = messagesOf('count: 0\nmode: alpa\nsteps:\n  - verb: ok\n  - verb: 4\nwait: 10 parsecs\n');
    assert.deepEqual(messages, [
      'file.yaml:1:1: name: expected text, got nothing',
      'file.yaml:1:8: count: expected at least 1, got 0',
      'file.yaml:2:7: mode: expected one of alpha, beta, got "alpa" (did you mean "alpha"?)',
      'file.yaml:5:11: steps[1].verb: expected text, got 4',
      'file.yaml:6:7: wait: expected a duration like 250, "250ms" or "10s" (units ms, s, m, h, d), got "10 parsecs"',
    ]);
  });

  test('a union with a wrong discriminator names the valid ones', () => {
    assert.deepEqual(messagesOf('name: x\naction: {kind: cal}\n'), [
      'file.yaml:2:16: action.kind: expected one of call, wait, got "cal" (did you mean "call"?)',
    ]);
  });

  test('broken YAML, a duplicate key, a second document and an unknown tag are refused with their place', () => {
    assert.match(messagesOf('name: [1')[0]!, /^file\.yaml:1:9: /);
    assert.match(messagesOf('name: x\nname: y\n')[0]!, /^file\.yaml:2:1: /);
    assert.match(messagesOf('name: x\n---\nname: y\n')[0]!, /^file\.yaml:2:\d+: expected one YAML document/);
    assert.match(messagesOf('name: !thing x\n')[0]!, /^file\.yaml:1:7: /);
  });

  test('a text that expands its aliases without end is refused', () => {
    const bomb = `a: &a [x, x, x, x, x, x, x, x, x]\n${'bcdefgh'
      .split('')
      .map((name, i) => `${name}: &${name} [${Array(9).fill(`*${'abcdefgh'[i]}`).join(', ')}]`)
      .join('\n')}\n`;
    assert.match(messagesOf(bomb)[0]!, /alias/i);
  });

  test('the code can be chosen', () => {
    assert.throws(() => readYaml('x: 1', 'f', schema, 'PLAYBOOK_INVALID'), { code: 'PLAYBOOK_INVALID' });
  });

  test('a value can be located after reading, through an alias too', () => {
    const { at } = readDocument('name: x\nsteps: &s\n  - verb: a\n', 'f.yaml', schema);
    assert.equal(at(['steps', 0, 'verb']), 'f.yaml:3:11');
    assert.equal(at(['steps', 7]), 'f.yaml:3:3');
  });

  test('whatever the text, the answer is a value or a GraceError with a place', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.json(), fc.string({ unit: fc.constantFrom(...'a:-[]{}*&!\n #>|"') })),
        (text) => {
          try {
            readYaml(text, 'file.yaml', schema);
          } catch (error) {
            assert.ok(error instanceof GraceError, String(error));
            for (const line of error.message.split('\n').slice(0, 1))
              assert.match(line, /^file\.yaml:[1-9]\d*:[1-9]\d*: /);
          }
        },
      ),
      { numRuns: 500 },
    );
  });

  test('an unknown key is found wherever it hides', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[a-z]{1,12}$/), (key) => {
        fc.pre(!Object.keys(schema.shape).includes(key));
        assert.ok(messagesOf(JSON.stringify({ name: 'x', [key]: 1 }))[0]?.includes(`unknown key "${key}"`));
      }),
    );
  });
});
