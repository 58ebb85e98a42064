import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { LATENCY_BOUNDS_MS } from '@grace/contracts';
import fc from 'fast-check';
import { parseExposition } from '../fixtures/prometheus-parser.ts';
import { histogram } from './bus-families.ts';
import { exposition, type Family } from './exposition.ts';

describe('the text of metrics', () => {
  test('gives back every name, label and value, whatever they are made of', () => {
    const label = fc.oneof(
      fc.string({ unit: 'grapheme' }),
      fc.constantFrom('a"b', 'a\\b', 'a\nb', '\\n', '}', '",x="'),
    );
    fc.assert(
      fc.property(fc.uniqueArray(label, { maxLength: 5 }), fc.double(), label, (labels, value, help) => {
        const samples = labels.map((text) => ({ labels: { text, other: 'x' }, value }));
        const family: Family = { name: 'grace_x', help: help.replaceAll('\r', ''), type: 'gauge', samples };
        const parsed = parseExposition(exposition([family])).get('grace_x');
        if (labels.length === 0) assert.equal(parsed, undefined);
        else {
          assert.equal(parsed!.help, family.help);
          assert.deepEqual(
            parsed!.samples.map((sample) => [sample.labels['text'], sample.value]),
            labels.map((text) => [text, value === 0 ? parsed!.samples[0]!.value : value]),
          );
        }
      }),
    );
  });

  test('of a histogram holds every observation, those above the last bound too', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(50), { maxLength: LATENCY_BOUNDS_MS.length + 1 }), (buckets) => {
        const count = buckets.reduce((sum, one) => sum + one, 0);
        const sample = histogram({ buckets, count, sumMs: 5, p50Ms: null, p99Ms: null });
        const text = exposition([{ name: 'grace_h', help: 'h', type: 'histogram', samples: [sample] }]);
        const { samples } = parseExposition(text).get('grace_h')!;
        for (const { name, labels, value } of samples) {
          if (name !== 'grace_h_bucket' || labels['le'] === '+Inf') continue;
          const upTo = LATENCY_BOUNDS_MS.map((bound, i) =>
            bound / 1000 <= Number(labels['le']) ? (buckets[i] ?? 0) : 0,
          );
          assert.equal(
            value,
            upTo.reduce((sum, one) => sum + one, 0),
          );
        }
      }),
    );
  });
});
