import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { count, decimal, duration, instant, list, measured, observed, percent, utc } from './units.ts';

test('durations keep three significant places and a unit', () => {
  const pairs: [number, string][] = [
    [0, '0 ms'],
    [0.44, '0.4 ms'],
    [123.4, '123 ms'],
    [999.4, '999 ms'],
    [999.6, '1 s'],
    [4210, '4.21 s'],
    [60_000, '60 s'],
    [125_000, '2 min 5 s'],
    [180_000, '3 min'],
    [-30, '-30 ms'],
  ];
  for (const [ms, text] of pairs) assert.equal(duration(ms), text);
});

test('numbers are grouped by thousands and never end in zeros of their fraction', () => {
  assert.equal(count(20_000), '20,000');
  assert.equal(count(1_234_567), '1,234,567');
  assert.equal(decimal(1.5), '1.5');
  assert.equal(decimal(2), '2');
  assert.equal(decimal(-0.01), '0');
  assert.equal(percent(1 / 3), '33.3 %');
});

test('a censored time is told from a measured one and from none', () => {
  assert.equal(measured({ moreThanMs: 60_000 }), '> 60 s');
  assert.equal(measured({ ms: 12 }), '12 ms');
  assert.equal(measured(null), 'none');
});

test('what is no number is called not recorded', () => {
  for (const value of [Number.NaN, Number.POSITIVE_INFINITY, null, undefined]) {
    assert.equal(duration(value), 'not recorded');
    assert.equal(instant(value), 'not recorded');
    assert.equal(count(value), 'not recorded');
  }
  assert.equal(utc(8.7e15).iso, 'not recorded');
});

test('instants, lists and observations read as text', () => {
  assert.equal(instant(12_345.6), 'T+12.346 s');
  assert.equal(instant(-40), 'T-0.040 s');
  assert.equal(list(['a', 'b', 'c']), 'a, b and c');
  assert.equal(list(['a', 'b', 'c'], 1), 'a and 2 more');
  assert.equal(observed({ cpuMs: 980, at: { x: [1, 2] }, ok: true }), 'cpuMs 980, at (x (1 and 2)), ok true');
});

test('every number has a text', () => {
  fc.assert(
    fc.property(fc.double(), (value) => {
      for (const text of [duration(value), instant(value), decimal(value), percent(value)])
        assert.doesNotMatch(text, /NaN|undefined|Infinity/);
    }),
  );
});
