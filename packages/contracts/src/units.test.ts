import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { durationUnits, parseDuration, parseSize, sizeUnits } from './units.ts';

test('durations are milliseconds', () => {
  const cases = { '250ms': 250, '10s': 10_000, '1.5m': 90_000, '2h': 7_200_000, '7d': 604_800_000, ' 10 s ': 10_000 };
  for (const [text, ms] of Object.entries(cases)) assert.equal(parseDuration(text), ms, text);
  assert.equal(parseDuration(250), 250);
  assert.equal(parseDuration(0), 0);
});

test('sizes are bytes, decimal and binary told apart', () => {
  assert.equal(parseSize('64MB'), 64_000_000);
  assert.equal(parseSize('64MiB'), 67_108_864);
  assert.equal(parseSize('1kB'), 1000);
  assert.equal(parseSize(1024), 1024);
});

test('what is no quantity is undefined', () => {
  for (const value of [
    '',
    '10',
    's',
    '-1s',
    '1e3s',
    '10 parsecs',
    '10S',
    Number.NaN,
    Number.POSITIVE_INFINITY,
    -1,
    null,
    undefined,
    true,
    [],
    {},
    '1toString',
    '10constructor',
  ]) {
    assert.equal(parseDuration(value), undefined, String(value));
    assert.equal(parseSize(value), undefined, String(value));
  }
});

test('every whole quantity with a unit is read, and is a whole number', () => {
  fc.assert(
    fc.property(fc.nat(100_000), fc.constantFrom(...durationUnits), (amount, unit) => {
      assert.ok(Number.isInteger(parseDuration(`${amount}${unit}`)));
    }),
  );
  fc.assert(
    fc.property(fc.nat(100_000), fc.constantFrom(...sizeUnits), (amount, unit) => {
      assert.ok((parseSize(`${amount}${unit}`) ?? -1) >= amount);
    }),
  );
});

test('any text gives a number of at least zero or undefined', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const ms = parseDuration(text);
      assert.ok(ms === undefined || ms >= 0);
    }),
  );
});
