import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { GraceError } from '@grace/contracts';
import fc from 'fast-check';
import { rmsOf, tone } from '../fixtures/sounds.ts';
import { bytesOf, samplesOf } from './pcm.ts';
import { resample } from './resample.ts';
import { readWav, wavOf } from './wav.ts';

describe('a WAV file', () => {
  test('gives back the samples it was made of', () => {
    fc.assert(
      fc.property(fc.int16Array({ maxLength: 500 }), fc.integer({ min: 8000, max: 96_000 }), (samples, rate) => {
        assert.deepEqual(readWav(wavOf({ rate, samples })), { rate, samples });
        assert.deepEqual(samplesOf(bytesOf(samples)), samples);
      }),
    );
  });

  test('of two channels is mixed, and one whose length was not known is read to its end', () => {
    const file = wavOf({ rate: 16_000, samples: Int16Array.from([100, 300, -5, -7]) });
    file.writeUInt16LE(2, 22);
    file.writeUInt32LE(0xffffffff, 40);
    assert.deepEqual(readWav(file), { rate: 16_000, samples: Int16Array.from([200, -6]) });
  });

  test('that is anything else is refused with a code, never worse', () => {
    const good = wavOf({ rate: 16_000, samples: Int16Array.from([1, 2, 3, 4]) });
    for (const [at, value] of [
      [20, 3],
      [22, 0],
      [34, 8],
      [24, 1],
    ] as const) {
      const bad = Buffer.from(good);
      bad.writeUInt16LE(value, at);
      assert.throws(() => readWav(bad), { code: 'BAD_INPUT' }, `${value} at ${at}`);
    }
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(47), fc.nat(255))), fc.nat(52), (changes, length) => {
        const file = Buffer.from(good).subarray(0, length);
        for (const [at, value] of changes) if (at < file.length) file[at] = value;
        try {
          assert.ok(readWav(file).samples.length <= 4);
        } catch (error) {
          assert.ok(error instanceof GraceError && error.code === 'BAD_INPUT', String(error));
        }
      }),
      { numRuns: 2000 },
    );
  });
});

describe('another rate', () => {
  for (const from of [8000, 22_050, 24_000, 44_100, 48_000]) {
    test(`keeps a tone of ${from} samples a second what it is`, () => {
      const seconds = 0.5;
      const samples = Int16Array.from({ length: from * seconds }, (_, i) =>
        Math.round(9000 * Math.sin((2 * Math.PI * 600 * i) / from)),
      );
      const { samples: made, rate } = resample({ rate: from, samples }, 16_000);
      assert.deepEqual([rate, made.length], [16_000, 16_000 * seconds]);
      const expected = tone(seconds * 1000, 600, 9000);
      const inside = (all: Int16Array): number[] => [...all.subarray(400, -400)];
      const wanted = inside(expected);
      const off = rmsOf(inside(made).map((sample, i) => sample - wanted[i]!));
      assert.ok(off < 90, `it is off by ${off.toFixed(0)} of 9000`);
    });
  }

  test('leaves out what it cannot hold instead of folding it back', () => {
    const high = Int16Array.from({ length: 24_000 }, (_, i) =>
      Math.round(9000 * Math.sin((2 * Math.PI * 11_000 * i) / 48_000)),
    );
    const { samples } = resample({ rate: 48_000, samples: high }, 16_000);
    assert.ok(rmsOf(samples.subarray(400, -400)) < 30);
  });
});
