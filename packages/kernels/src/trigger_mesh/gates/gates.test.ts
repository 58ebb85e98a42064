import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { deserialize, serialize } from 'node:v8';
import fc from 'fast-check';
import { compileCondition } from '../rules/condition.ts';
import type { Rule, RuleEvent } from '../rules/rule.ts';
import { createBreaker, pass, settle } from './breaker.ts';
import { DEBOUNCE_MAX, judge, nextDueMs, releaseDue, type Side } from './gate.ts';
import { createLineage } from './lineage.ts';
import { copyState, createState, keyLimit, packState, unpackState } from './state.ts';

const rule = (changes: Partial<Rule> = {}): Rule => ({
  id: 'r',
  title: 'r',
  on: 'a.>',
  when: null,
  key: null,
  window: null,
  and: null,
  debounceMs: 0,
  cooldownMs: 0,
  depth: 5,
  rate: { count: 1000, withinMs: 10_000 },
  breaker: { failures: 3, openMs: 1000 },
  do: [{ log: 'x' }],
  deadlineMs: 1000,
  enabled: true,
  source: 'verb',
  ...changes,
});
const event = (payload: unknown = {}, changes: Partial<RuleEvent> = {}): RuleEvent => ({
  id: 'e',
  subject: 'a.b',
  from: 'x',
  at: 0,
  correlation: null,
  causation: null,
  depth: 0,
  payload,
  ...changes,
});
const gate = (changes: Partial<Rule> = {}) => {
  const made = rule(changes);
  const state = createState();
  const compiled = {
    rule: made,
    when: made.when === null ? null : compileCondition(made.when),
    andWhen: made.and?.when ? compileCondition(made.and.when) : null,
  };
  return {
    state,
    made,
    see: (e: RuleEvent, nowMs: number, side: Side = 'on') => judge(compiled, state, side, e, nowMs),
  };
};

describe('the gate', () => {
  test('a window fires on every n-th event exactly when n came within its time', () => {
    const gaps = fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 60 });
    fc.assert(
      fc.property(gaps, fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 100 }), (steps, count, withinMs) => {
        const { see } = gate({ window: { count, withinMs } });
        let open: number[] = [];
        let nowMs = 0;
        for (const gap of steps) {
          nowMs += gap;
          open = [...open, nowMs].filter((atMs) => nowMs - atMs <= withinMs);
          const expected = open.length >= count;
          if (expected) open = [];
          assert.equal(see(event(), nowMs).fires, expected);
        }
      }),
    );
  });

  test('windows of different keys are counted apart', () => {
    const { see } = gate({ window: { count: 2, withinMs: 100 }, key: 'payload.k' });
    assert.equal(see(event({ k: 'a' }), 0).fires, false);
    assert.equal(see(event({ k: 'b' }), 1).fires, false);
    assert.equal(see(event({ k: 'a' }), 2).fires, true);
  });

  test('a correlation fires once per pair of one key, in either order, within its time', () => {
    const sides = fc.array(fc.record({ side: fc.constantFrom<Side>('on', 'and'), k: fc.constantFrom('x', 'y') }));
    fc.assert(
      fc.property(sides, (events) => {
        const { see } = gate({ key: 'payload.k', and: { on: 'b.>', when: null, key: null, withinMs: 10 } });
        const waiting: Record<string, { side: Side; atMs: number } | undefined> = {};
        events.forEach(({ side, k }, i) => {
          const nowMs = i * 4;
          const other = waiting[k];
          const pair = other !== undefined && other.side !== side && nowMs - other.atMs <= 10;
          waiting[k] = pair ? undefined : { side, atMs: nowMs };
          const verdict = see(event({ k, i }), nowMs, side);
          assert.equal(verdict.fires, pair);
          if (verdict.fires) assert.ok(verdict.firing.other);
        });
      }),
    );
  });

  test('a debounce fires once with the last event after the quiet time, and no later than its limit', () => {
    const { see, state, made } = gate({ debounceMs: 10 });
    see(event(1), 0);
    see(event(2), 5);
    assert.equal(nextDueMs(state), 15);
    assert.deepEqual(releaseDue(made, state, 14), []);
    const verdict = releaseDue(made, state, 15)[0]?.verdict;
    assert.ok(verdict?.fires && verdict.firing.event.payload === 2 && verdict.firing.count === 2);
    assert.deepEqual(releaseDue(made, state, 100), []);
    for (let nowMs = 200; nowMs < 200 + 10 * DEBOUNCE_MAX; nowMs += 5) see(event(nowMs), nowMs);
    assert.equal(nextDueMs(state), 200 + 10 * DEBOUNCE_MAX);
  });

  test('after a firing the rule is silent for its cooldown', () => {
    const { see } = gate({ cooldownMs: 10 });
    assert.equal(see(event(), 0).fires, true);
    assert.deepEqual(see(event(), 9), {
      fires: false,
      why: 'cooldown',
      detail: 'silent for another 1 ms after the last firing',
    });
    assert.equal(see(event(), 10).fires, true);
  });

  test('no stretch of the rate time ever holds more firings than the rate', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 80 }), (gaps) => {
        const { see } = gate({ rate: { count: 3, withinMs: 20 } });
        const fired: number[] = [];
        let nowMs = 0;
        for (const gap of gaps) {
          nowMs += gap;
          if (see(event(), nowMs).fires) fired.push(nowMs);
          assert.ok(fired.filter((atMs) => atMs > nowMs - 20).length <= 3);
        }
      }),
    );
  });

  test('an event at the depth limit is cut, one below it is not', () => {
    const { see } = gate({ depth: 3 });
    assert.equal(see(event({}, { depth: 2 }), 0).fires, true);
    const verdict = see(event({}, { depth: 3 }), 0);
    assert.ok(!verdict.fires && verdict.why === 'cut');
  });

  test('an evaluation error is no match and is shown', () => {
    const { see } = gate({ when: 'payload.n > 1' });
    const verdict = see(event({}), 0);
    assert.ok(!verdict.fires && verdict.why === 'error' && /No such key: n/.test(verdict.detail));
  });

  test('a rule keeps a bounded number of keys', () => {
    const { see, state, made } = gate({ window: { count: 2, withinMs: 1e9 }, key: 'payload.k' });
    for (let k = 0; k < 5000; k++) see(event({ k }), k);
    assert.equal(state.keys.size, keyLimit(made));
    assert.equal(state.forgotten, 5000 - keyLimit(made));
  });

  test('what is packed is unpacked, and a copy is judged without touching the original', () => {
    const { see, state, made } = gate({ window: { count: 3, withinMs: 100 } });
    see(event(), 0);
    see(event(), 1);
    const packed = unpackState(deserialize(serialize(packState(state))));
    const compiled = { rule: made, when: null, andWhen: null };
    assert.equal(judge(compiled, copyState(state), 'on', event(), 2).fires, true);
    assert.equal(judge(compiled, packed, 'on', event(), 2).fires, true);
    assert.equal(state.keys.get('')!.windowMs.length, 2);
  });
});

describe('the breaker', () => {
  const limits = { failures: 3, openMs: 100 };

  test('opens after so many failures in a row, lets one try through, and closes when that succeeds', () => {
    const breaker = createBreaker();
    assert.equal(settle(breaker, false, limits, 0), false);
    settle(breaker, true, limits, 0);
    assert.deepEqual(
      [1, 2, 3].map(() => settle(breaker, false, limits, 0)),
      [false, false, true],
    );
    assert.equal(pass(breaker, 99), false);
    assert.equal(pass(breaker, 100), true);
    assert.equal(pass(breaker, 100), false, 'only one tries');
    assert.equal(settle(breaker, false, limits, 110), true);
    assert.equal(pass(breaker, 209), false);
    assert.equal(pass(breaker, 210), true);
    settle(breaker, true, limits, 211);
    assert.deepEqual(breaker, createBreaker());
  });

  test('a success from before the opening does not close it', () => {
    const breaker = createBreaker();
    for (let i = 0; i < 3; i++) settle(breaker, false, limits, 0);
    settle(breaker, true, limits, 1);
    assert.equal(breaker.state, 'open');
  });
});

describe('lineage', () => {
  test('depth is carried by id, cause and correlation, through messages of others', () => {
    const lineage = createLineage();
    lineage.remember('m1', 1);
    assert.equal(lineage.depthOf({ id: 'm1' }), 1);
    assert.equal(lineage.depthOf({ id: 'm2', causation: 'm1' }), 1);
    assert.equal(lineage.depthOf({ id: 'm3', causation: 'm2' }), 1);
    assert.equal(lineage.depthOf({ id: 'm4', correlation: 'elsewhere', causation: 'unknown' }), 0);
  });

  test('forgets the oldest first and never grows past its bound', () => {
    const lineage = createLineage(10);
    for (let i = 0; i < 100; i++) lineage.remember(`m${i}`, 1);
    assert.equal(lineage.size, 10);
    assert.equal(lineage.depthOf({ id: 'm0' }), 0);
    assert.equal(lineage.depthOf({ id: 'm99' }), 1);
  });
});
