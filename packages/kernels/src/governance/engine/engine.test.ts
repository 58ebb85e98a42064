import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { GraceError } from '@grace/contracts';
import fc from 'fast-check';
import { compilePolicies } from '../policies/compile.ts';
import type { PolicyFile, Settings } from '../policies/policy-set.ts';
import { createCedarHost } from './cedar.ts';
import { createEngine, decideOnce } from './engine.ts';
import { digestOf, type Question } from './question.ts';
import { type Evaluation, weigh } from './weigh.ts';

/** The least that governance takes, so that hundreds of sets are checked in little time. */
const schema: PolicyFile = {
  name: 'least.cedarschema',
  text: `entity Role; entity Probe; entity Request; entity System;
entity Principal in [Role] { tier: String, kind: String };
action probe appliesTo { principal: [Principal], resource: [Probe], context: { approved: Bool } };
action decide_request appliesTo { principal: [Principal], resource: [Request], context: { approved: Bool } };
action change_policies, inject_faults appliesTo { principal: [Principal], resource: [System], context: { approved: Bool } };`,
};
const settings: Settings = { approvalRequired: true, defaultTier: 'propose', principals: {} };
const host = createCedarHost();

interface Rule {
  effect: 'permit' | 'forbid';
  resource: string | null;
  approval: 'any' | 'when' | 'unless';
}

const rule = fc.record<Rule>({
  effect: fc.constantFrom('permit', 'forbid'),
  resource: fc.constantFrom(null, 'a', 'b'),
  approval: fc.constantFrom('any', 'when', 'unless'),
});
const asked = fc.constantFrom('a', 'b', 'c');

const text = ({ effect, resource, approval }: Rule, i: number): string => {
  const scope = resource === null ? 'resource' : `resource == Probe::"${resource}"`;
  const condition = approval === 'any' ? '' : ` ${approval} { context.approved }`;
  return `@id("p${i}") ${effect} (principal, action == Action::"probe", ${scope})${condition};`;
};
const holds = ({ resource, approval }: Rule, of: string, approved: boolean): boolean =>
  (resource === null || resource === of) && (approval === 'any' || (approval === 'when') === approved);

/** What three-valued decisions mean, said without Cedar. */
function expected(rules: readonly Rule[], of: string): string {
  const allows = (approved: boolean): boolean => {
    const met = rules.filter((one) => holds(one, of, approved));
    return met.some(({ effect }) => effect === 'permit') && !met.some(({ effect }) => effect === 'forbid');
  };
  return allows(false) ? 'permit' : allows(true) ? 'needs_approval' : 'forbid';
}

const setOf = (texts: readonly string[]) => {
  const files: PolicyFile[] = [schema, { name: 'random.cedar', text: texts.join('\n') }];
  return host.use((cedar) => compilePolicies(cedar, { files, settings }));
};
const question = (resource: string): Question => ({ principal: 'anybody', action: 'probe', resource, context: {} });

describe('decisions over random policies', () => {
  test('deny wins, approval lifts only what asks for it, and the order of policies changes nothing', () => {
    fc.assert(
      fc.property(fc.array(rule, { minLength: 1, maxLength: 6 }), asked, fc.integer(), (rules, of, seed) => {
        const texts = rules.map(text);
        const set = setOf(texts);
        const found = decideOnce(host, set, question(of));
        assert.equal(found.outcome, expected(rules, of));
        // The engine reads Cedar's JSON, the other way its text; a version of an earlier release has the text alone.
        const { parsed, ...kept } = set;
        assert.ok(parsed);
        for (const form of [set, kept])
          assert.deepEqual(createEngine(host, form, 'random').decide(question(of)), found);
        const forbids = rules.flatMap((one, i) =>
          one.effect === 'forbid' && holds(one, of, true) && holds(one, of, false) ? [`p${i}`] : [],
        );
        if (forbids.length > 0)
          assert.deepEqual([found.outcome, found.policies.filter((id) => forbids.includes(id))], ['forbid', forbids]);
        const shuffled = texts.map((one, i) => ({ one, key: Math.sin(seed + i * 7919) })).sort((a, b) => a.key - b.key);
        const policies = Object.fromEntries(shuffled.map(({ one }) => [/"(.*?)"/.exec(one)![1]!, one]));
        assert.deepEqual(decideOnce(host, { ...set, policies }, question(of)), found);
      }),
      { numRuns: 40 },
    );
  });

  test('a number of more digits than JSON keeps is not rounded', () => {
    const set = setOf([
      '@id("all") permit (principal, action == Action::"probe", resource);',
      '@id("equal") forbid (principal, action == Action::"probe", resource) when { context.approved || 9007199254740993 == 9007199254740992 };',
    ]);
    assert.equal(createEngine(host, set, 'random').decide(question('a')).outcome, 'permit');
    assert.equal(set.parsed, undefined);
  });

  test('the engine that is prepared answers as one that parses anew', () => {
    const engine = createEngine(host, setOf([]), 'random');
    fc.assert(
      fc.property(fc.array(rule, { maxLength: 5 }), asked, (rules, of) => {
        const set = setOf(rules.map(text));
        engine.prepare(set)();
        assert.deepEqual(engine.decide(question(of)), decideOnce(host, set, question(of), false));
      }),
      { numRuns: 20 },
    );
  });
});

describe('weighing', () => {
  const evaluation = fc.record<Evaluation>({
    allows: fc.boolean(),
    reasons: fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 3 }),
    errors: fc.array(fc.record({ policy: fc.constantFrom('x', 'y'), message: fc.string() }), { maxLength: 2 }),
  });
  test('nothing is permitted while a policy could not be evaluated', () => {
    fc.assert(
      fc.property(evaluation, evaluation, (plain, approved) => {
        const { outcome, policies } = weigh(plain, () => approved);
        if (plain.errors.length > 0)
          assert.deepEqual([outcome, policies], ['forbid', plain.errors.map(({ policy }) => policy).sort()]);
        else
          assert.equal(
            outcome,
            plain.allows ? 'permit' : approved.errors.length === 0 && approved.allows ? 'needs_approval' : 'forbid',
          );
      }),
    );
  });
});

describe('an engine whose Cedar broke', () => {
  test('takes another, prepares its policies again, and decides as before', () => {
    const own = createCedarHost();
    const set = setOf(['@id("all") permit (principal, action == Action::"probe", resource);']);
    const engine = createEngine(own, set, 'live');
    const before = engine.decide(question('a'));
    const deep = `permit (principal, action, resource) when { ${'('.repeat(5000)}true${')'.repeat(5000)} };`;
    assert.throws(
      () => own.use((cedar) => cedar.checkParsePolicySet({ staticPolicies: deep })),
      (error: GraceError) => error.code === 'INTERNAL',
    );
    assert.deepEqual(engine.decide(question('a')), before);
    assert.equal(own.generation, 2);
  });
});

describe('the digest of a question', () => {
  test('is the same for the same fields in another order, and another for anything else', () => {
    const value = fc.oneof(fc.string(), fc.integer(), fc.boolean());
    const context = fc.dictionary(fc.stringMatching(/^[a-z]{1,6}$/), value, { maxKeys: 5 });
    fc.assert(
      fc.property(context, (fields) => {
        const asWritten = { ...question('a'), context: fields };
        const turned = { ...question('a'), context: Object.fromEntries(Object.entries(fields).reverse()) };
        assert.equal(digestOf(turned), digestOf(asWritten));
        assert.notEqual(digestOf({ ...asWritten, resource: 'b' }), digestOf(asWritten));
        assert.notEqual(digestOf({ ...asWritten, context: { ...fields, more: 1 } }), digestOf(asWritten));
      }),
    );
  });
});
