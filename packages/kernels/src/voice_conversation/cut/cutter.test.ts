import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { AUDIO, toSample } from '../audio/pcm.ts';
import { hasEspeak, type Noise, noise, noisy, speech, type Timeline, timeline, tone } from '../fixtures/sounds.ts';
import { CUT_DEFAULTS, type CutSettings, Cutter, type Utterance } from './cutter.ts';

const cut = (samples: Int16Array, settings: Partial<CutSettings> = {}): Utterance[] => {
  const cutter = new Cutter({ ...CUT_DEFAULTS, ...settings });
  return [...cutter.push(samples), ...cutter.end()];
};

function assertLayout(utterances: readonly Utterance[], { parts }: Timeline, toleranceMs: number, what: string): void {
  const shown = utterances.map(({ startMs, endMs }) => `${startMs}-${endMs}`).join(' ');
  assert.equal(utterances.length, parts.length, `${what}: ${shown}`);
  for (const [i, { startMs, endMs }] of utterances.entries()) {
    const part = parts[i]!;
    assert.ok(
      Math.abs(startMs - part.startMs) <= toleranceMs,
      `${what}: ${i} begins at ${startMs}, not ${part.startMs}`,
    );
    assert.ok(Math.abs(endMs - part.endMs) <= toleranceMs, `${what}: ${i} ends at ${endMs}, not ${part.endMs}`);
  }
}

describe('synthesised speech', {
  skip: hasEspeak ? false : 'espeak-ng is not installed, so there is no speech to cut',
}, () => {
  const SENTENCES = [
    'How is the librarian?',
    'What happened today, and what are you working on?',
    'Show me the decisions of this morning, please.',
  ];
  const spoken = (voice = 'en'): Timeline =>
    timeline(
      SENTENCES.map((text) => speech(text, voice)),
      [700, 900, 1100, 1000],
    );

  for (const voice of ['en', 'en+f3', 'de']) {
    test(`of the voice ${voice} is cut where its silences are`, () => {
      assertLayout(cut(spoken(voice).samples), spoken(voice), 130, voice);
    });
  }

  // What is quieter than the noise at the ends of a sentence cannot be told from it: the louder the noise, the earlier it ends.
  for (const [kind, snrDb, toleranceMs] of [
    ['white', 30, 150],
    ['white', 20, 180],
    ['white', 10, 260],
    ['white', 5, 300],
    ['pink', 30, 150],
    ['pink', 20, 180],
    ['pink', 10, 260],
    ['pink', 5, 300],
    ['hum', 20, 150],
    ['hum', 5, 150],
  ] as const) {
    test(`with ${kind} noise ${snrDb} dB below it is cut into as many utterances`, () => {
      for (const seed of [1, 2, 3])
        assertLayout(
          cut(noisy(spoken(), kind, snrDb, seed)),
          spoken(),
          toleranceMs,
          `${kind} ${snrDb} dB, seed ${seed}`,
        );
    });
  }

  test('that begins with the first sample is one utterance from there', () => {
    const line = timeline([speech(SENTENCES[1]!)], [0, 900]);
    assertLayout(cut(line.samples), line, 130, 'at once');
    assertLayout(cut(noisy(line, 'white', 15)), line, 250, 'at once, in noise');
  });

  test('of one short word is an utterance, in noise too', () => {
    const line = timeline([speech('Yes.')], [600, 900]);
    assertLayout(cut(line.samples), line, 130, 'yes');
    for (const kind of ['white', 'pink'] as const)
      assert.equal(cut(noisy(line, kind, 10)).length, 1, `yes in ${kind} noise`);
  });

  test('in pieces of any size is cut alike', () => {
    const samples = noisy(spoken(), 'pink', 15);
    const whole = cut(samples);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 40_000 }), { minLength: 1, maxLength: 30 }), (sizes) => {
        assert.deepEqual(inPieces(samples, sizes), whole);
      }),
      { numRuns: 25 },
    );
  });
});

function inPieces(samples: Int16Array, sizes: readonly number[], settings = CUT_DEFAULTS): Utterance[] {
  const cutter = new Cutter(settings);
  const found: Utterance[] = [];
  for (let at = 0, i = 0; at < samples.length; i++) {
    const size = sizes[i % sizes.length]!;
    found.push(...cutter.push(samples.slice(at, at + size)));
    at += size;
  }
  return [...found, ...cutter.end()];
}

describe('what is no speech', () => {
  test('is cut into nothing: digital silence, steady noise of any loudness, hum', () => {
    assert.deepEqual(cut(new Int16Array(AUDIO.rate * 5)), []);
    for (const kind of ['white', 'pink', 'hum'] satisfies Noise[])
      for (const rms of [3, 30, 300, 1500])
        for (const seed of [1, 2])
          assert.deepEqual(
            cut(Int16Array.from(noise(kind, AUDIO.rate * 6, rms, seed), toSample)).length,
            0,
            `${kind} of ${rms}, seed ${seed}`,
          );
  });

  test('is cut into nothing: clicks twice a second', () => {
    const samples = new Int16Array(AUDIO.rate * 5);
    for (let at = 4000; at < samples.length - 200; at += AUDIO.rate / 2)
      for (let i = 0; i < 80; i++) samples[at + i] = toSample((i % 2 === 0 ? 1 : -1) * 20_000 * Math.exp(-i / 20));
    assert.deepEqual(cut(samples), []);
  });

  test('that begins and stays is taken for speech no longer than two seconds', () => {
    const before = Int16Array.from(noise('white', AUDIO.rate * 3, 20), toSample);
    const after = Int16Array.from(noise('white', AUDIO.rate * 12, 1500, 2), toSample);
    const found = cut(Int16Array.from([...before, ...after]));
    assert.ok(found.length <= 1, `${found.length} utterances`);
    for (const { startMs, endMs } of found) assert.ok(endMs - startMs <= 2600, `${endMs - startMs} ms`);
  });
});

describe('tones', () => {
  const burst = timeline([tone(400, 440, 8000), tone(300, 1500, 4000)], [500, 800, 700]);

  test('are cut where they stand, with audio kept around them', () => {
    const found = cut(burst.samples);
    assertLayout(found, burst, 48, 'tones');
    for (const { startMs, endMs, samples, cut: why } of found) {
      assert.equal(why, 'pause');
      const ms = (samples.length * 1000) / AUDIO.rate;
      assert.ok(Math.abs(ms - (endMs - startMs) - 2 * CUT_DEFAULTS.padMs) <= 1, `${ms} ms are kept`);
    }
  });

  test('count on from where the session stood', () => {
    const cutter = new Cutter(CUT_DEFAULTS, 60_000);
    assert.equal(cutter.takenMs, 60_000);
    const [first] = cutter.push(burst.samples);
    assert.ok(Math.abs(first!.startMs - 60_500) < 48);
  });

  test('shorter than an utterance may be, or quieter than speech, are none', () => {
    const short = timeline([tone(60, 440, 8000)], [500, 700]);
    assert.deepEqual(cut(short.samples), []);
    const quiet = timeline([tone(500, 440, 15)], [500, 700]);
    assert.deepEqual(cut(quiet.samples), []);
    assert.equal(cut(quiet.samples, { quietDbfs: -90 }).length, 1, 'it is the bound that holds it off');
  });

  test('without an end are cut at the greatest length, and go on without a gap', () => {
    // In syllables, like a voice: a tone that only stays is taken for hum after a while.
    const syllables = Array.from({ length: 19 }, (_, i) => tone(200, 300 + 40 * (i % 5), 9000));
    const line = timeline(syllables, [500, ...Array.from({ length: 18 }, () => 80), 900]);
    const found = cut(line.samples, { maxUtteranceMs: 2000 });
    assert.deepEqual(
      found.map(({ cut: why }) => why),
      ['length', 'length', 'pause'],
    );
    assert.equal(found[0]!.endMs, found[1]!.startMs);
    assert.equal(found[1]!.endMs, found[2]!.startMs);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 20_000 }), { minLength: 1, maxLength: 10 }), (sizes) => {
        assert.deepEqual(inPieces(line.samples, sizes, { ...CUT_DEFAULTS, maxUtteranceMs: 2000 }), found);
      }),
      { numRuns: 15 },
    );
  });

  test('that the end of the audio cuts off are an utterance, and what follows is cut as ever', () => {
    const cutter = new Cutter(CUT_DEFAULTS);
    const open = timeline([tone(400, 440, 8000)], [500, 0]);
    assert.deepEqual(cutter.push(open.samples), []);
    assert.deepEqual(
      cutter.end().map(({ cut: why }) => why),
      ['end'],
    );
    assert.deepEqual(cutter.end(), []);
    assert.equal(cutter.push(burst.samples).length, 2);
  });
});

test('whatever the samples, utterances lie in order, within the audio and no longer than may be', () => {
  const part = fc.oneof(
    fc.integer({ min: 1, max: 4000 }).map((n) => new Int16Array(n)),
    fc.int16Array({ minLength: 1, maxLength: 3000 }),
    fc
      .tuple(fc.integer({ min: 1, max: 900 }), fc.integer({ min: 60, max: 7900 }), fc.integer({ min: 1, max: 32_767 }))
      .map(([ms, hz, amplitude]) => tone(ms, hz, amplitude)),
  );
  fc.assert(
    fc.property(
      fc.array(part, { minLength: 1, maxLength: 12 }),
      fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 5 }),
      (parts, sizes) => {
        const samples = Int16Array.from(parts.flatMap((one) => [...one]));
        const settings = { ...CUT_DEFAULTS, maxUtteranceMs: 1000 };
        const found = cut(samples, settings);
        assert.deepEqual(inPieces(samples, sizes, settings), found);
        let last = 0;
        for (const { startMs, endMs } of found) {
          assert.ok(startMs >= last && endMs > startMs && endMs - startMs <= 1016, `${startMs}-${endMs} after ${last}`);
          assert.ok(endMs <= (samples.length * 1000) / AUDIO.rate + 16);
          last = endMs;
        }
      },
    ),
    { numRuns: 60 },
  );
});
