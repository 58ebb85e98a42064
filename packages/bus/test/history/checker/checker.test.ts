import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Entry } from '../entries.ts';
import { parseLife } from '../read-history.ts';
import { WINDOW_S } from './again.ts';
import { check } from './check.ts';
import { CorrectBus } from './correct-bus.ts';
import { after, is, PLANTS, settled } from './planted.ts';
import { OFTEN, play, STEPS, sound } from './sound.ts';
import { matches } from './violation.ts';

const SOUND = sound();

test('any history of a bus that keeps its promises contradicts none of them', () => {
  const step = fc.oneof(...STEPS.map((arbitrary, i) => ({ arbitrary: fc.constant(arbitrary), weight: OFTEN[i]! })));
  fc.assert(
    fc.property(fc.integer(), fc.array(step, { maxLength: 400 }), (seed, steps) => {
      assert.deepEqual(check(play(new CorrectBus(seed), steps)).violations, []);
    }),
    { numRuns: 300 },
  );
});

test('a history in which enough was seen holds, with its counts', () => {
  const { verdict, violations, missing, counts } = check(SOUND);
  assert.deepEqual([violations, missing, verdict], [[], [], 'held']);
  for (const what of ['delivered again after a refusal', 'delivered again after a break', 'dead letters'])
    assert.ok(counts[what]! > 0, what);
});

describe('a history is rejected for', () => {
  for (const [name, rule, plant] of PLANTS) {
    test(name, () => {
      const { entries, keys, words } = plant(SOUND);
      const { verdict, violations } = check(entries);
      assert.equal(verdict, 'violated');
      const [found] = violations.filter((violation) => violation.rule === rule);
      assert.ok(found, JSON.stringify(violations, null, 1));
      assert.deepEqual(found.keys, keys);
      assert.match(found.message, words);
      for (const key of keys) assert.ok(found.message.includes(key), found.message);
      assert.deepEqual([...new Set(violations.map((one) => one.rule))], [rule]);
    });
  }
});

describe('a history proves nothing', () => {
  const without: [string, RegExp, (entries: Entry[]) => Entry[]][] = [
    [
      'when no kill had an effect',
      /no strike of broker_kill had an effect/,
      (all) => all.filter(({ e }) => e !== 'bit'),
    ],
    ['without a schedule', /no schedule/, (all) => all.filter(({ e }) => e !== 'seed')],
    ['when the system never came to rest', /did not come to rest/, (all) => all.filter(({ e }) => e !== 'calm')],
    [
      'without a refused publish',
      /no publish was refused with BUS_DENIED/,
      (all) => {
        const keys = new Set(all.filter(is('fail')).flatMap(({ code, key }) => (code === 'BUS_DENIED' ? [key] : [])));
        return all.filter((one) => !('key' in one && keys.has(one.key)));
      },
    ],
    ['when nothing happened', /only 0 durable messages were accepted/, () => new CorrectBus(1).finish().slice(0, 8)],
  ];
  for (const [name, words, cut] of without) {
    test(name, () => {
      const { missing, violations, verdict } = check(cut(SOUND));
      assert.ok(
        missing.some((what) => words.test(what)),
        missing.join('; '),
      );
      assert.ok(verdict === 'inconclusive' || violations.length > 0);
    });
  }

  test('when nothing was ever delivered again', () => {
    const bus = new CorrectBus(3);
    for (let i = 0; i < 400; i++) {
      bus.publish();
      for (let d = 0; d < 3; d++) bus.deliver();
      for (let d = 0; d < 3; d++) bus.end(0);
    }
    bus.wait(4000);
    bus.killBroker();
    const { verdict, violations, missing } = check(bus.finish());
    assert.deepEqual([verdict, violations], ['inconclusive', []]);
    assert.ok(missing.includes('nothing was delivered again after a break'), missing.join('; '));
  });
});

test('a redelivery is excused only while the acknowledgement may have been on its way', () => {
  const entries = SOUND;
  const { deliver, handled } = settled(entries, 'ann/all');
  const excused = (aliveForUs: number): boolean => {
    const wire = deliver.wire;
    const seen = { e: 'beat', wire, t: handled.t + aliveForUs };
    const silent = entries.filter(
      (one) =>
        !(one.who === 'ann' && 'wire' in one && one.wire === wire && one.life === deliver.life && one.t > handled.t),
    );
    const again = { ...deliver, a: 2, wire: wire + 1, t: handled.t + aliveForUs + 1 };
    const tail = { ...handled, a: 2, wire: wire + 1, t: again.t + 1 };
    const all = after(silent, handled, seen, again, tail);
    return !check(all).violations.some(({ rule, keys }) => rule === 'handled again' && keys.includes(deliver.key));
  };
  assert.deepEqual([excused(WINDOW_S * 1e6 - 1e5), excused(WINDOW_S * 1e6 + 1e5)], [true, false]);
});

test('the torn last line of a killed life is left out, any other torn line is an error', () => {
  const whole = '{"t":1,"w":1,"e":"calm"}\n';
  assert.equal(parseLife(`${whole}{"t":2,"w`, 'run', 0).length, 1);
  assert.equal(parseLife(whole, 'run', 0).length, 1);
  assert.throws(() => parseLife(`{"t":2,"w\n${whole}`, 'run', 0), /run\.0\.ndjson:1 is no entry/);
});

test('patterns match as those of the bus do', () => {
  assert.ok(matches('task.>', 'task.history.a') && matches('history.*.*', 'history.normal.a'));
  assert.ok(!matches('task.history.*', 'task.history') && !matches('history.*', 'history.a.b'));
  assert.ok(!matches('task.>', 'task') && !matches('a.b', 'a.c'));
});
