import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { GraceError } from '@grace/contracts';
import fc from 'fast-check';
import { parseInvariants } from './file.ts';
import { readRule } from './read.ts';

const shipped = readFileSync(new URL('../../../../../configs/invariants.yaml', import.meta.url), 'utf8');
const rule = (lines: string) => `format: 1\nrules:\n  - id: one\n    kind: invariant\n${lines}`;

describe('configs/invariants.yaml', () => {
  test('is what the product starts with: invariants with facts and a title each', () => {
    const rules = parseInvariants(shipped, 'configs/invariants.yaml');
    const ids = rules.map(({ id }) => id);
    for (const id of [
      'bus_conserves',
      'quarantine_has_incident',
      'ready_kernels_answer',
      'record_is_verified',
      'disk_has_room',
    ])
      assert.ok(ids.includes(id), id);
    for (const { id, kind, facts, title, source } of rules) {
      assert.deepEqual([kind, source], ['invariant', 'file'], id);
      assert.ok(Object.keys(facts).length > 0 && title !== id, id);
    }
  });

  for (const [what, text, message] of [
    [
      'an unknown field',
      rule('    expect: 1 == 1\n    evry: 5s'),
      /^f\.yaml:6:5: rules\[0\]\.evry: .*did you mean "every"/,
    ],
    [
      'an unknown fact',
      rule('    expect: buss.x == 1\n    facts: { bus: { supervisor: status } }'),
      /^f\.yaml:5:13: rules\[0\]\.expect: .*did you mean "bus"/,
    ],
    ['what is no CEL', rule('    expect: "1 =="'), /^f\.yaml:5:13: .*expected valid CEL/],
    [
      'a value that is no verdict',
      rule('    expect: "1 + 1"'),
      /expected CEL that is true or false, got one of type int/,
    ],
    [
      'a loop in a loop',
      rule('    expect: f.all(a, f.exists(b, a == b))\n    facts: { f: { supervisor: status } }'),
      /inside another loop/,
    ],
    ['a function that may never end', rule('    expect: \'"a".matches("(a+)+")\''), /matches\(\) is not offered/],
    [
      'a verb that may act',
      rule('    expect: f\n    facts: { f: { call: { kernel: scheduler, verb: remove } } }'),
      /f\.yaml:6:.*scheduler\.remove is not known to only look/,
    ],
    [
      'itself as a fact',
      rule('    expect: f\n    facts: { f: { call: { kernel: verification_framework, verb: status } } }'),
      /in a circle/,
    ],
    [
      'two origins',
      rule('    expect: f\n    facts: { f: { supervisor: status, call: { kernel: a, verb: status } } }'),
      /exactly one of call, supervisor/,
    ],
    [
      'a reserved name',
      rule('    expect: "true"\n    facts: { nowMs: { supervisor: status } }'),
      /means nothing else in CEL/,
    ],
    [
      'two of one name',
      `${rule('    expect: "true"')}\n  - id: one\n    kind: pre\n    expect: "true"`,
      /"one" is there already/,
    ],
    ['no YAML', 'format: [1', /^f\.yaml:1:/],
  ] as const)
    test(`with ${what} is refused with file and line`, () => {
      assert.throws(
        () => parseInvariants(text, 'f.yaml'),
        (error: GraceError) => {
          assert.equal(error.code, 'CONFIG_INVALID');
          assert.match(error.message, message);
          return true;
        },
      );
    });
});

describe('a definition', () => {
  test('of any shape is read, or refused with a code, and nothing else', async () => {
    const piece = fc.oneof(
      fc.jsonValue({ maxDepth: 2 }),
      fc.constantFrom('1 == 1', 'f.x > 2', 'invariant', 'pre', '5s'),
    );
    const shape = fc.record(
      {
        id: fc.oneof(fc.constantFrom('one', 'ONE', ''), piece),
        kind: fc.oneof(fc.constantFrom('invariant', 'pre', 'post'), piece),
        expect: fc.oneof(fc.string({ maxLength: 40 }), piece),
        facts: fc.oneof(fc.dictionary(fc.string({ maxLength: 8 }), piece, { maxKeys: 3 }), piece),
        every: piece,
        show: piece,
      },
      { requiredKeys: [] },
    );
    await fc.assert(
      fc.asyncProperty(shape, async (given) => {
        try {
          const read = await readRule(given, []);
          assert.ok(['invariant', 'pre', 'post'].includes(read.kind) && read.source === 'verb');
        } catch (error) {
          assert.ok(error instanceof GraceError && ['BAD_INPUT', 'TOO_LARGE'].includes(error.code), String(error));
        }
      }),
      { numRuns: 200 },
    );
  });
});
