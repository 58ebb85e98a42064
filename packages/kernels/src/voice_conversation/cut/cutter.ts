import { AUDIO } from '../audio/pcm.ts';
import { NoiseFloor } from './noise-floor.ts';
import { BAND_BINS, BANDS, bandPowers, HOP, HOP_MS, WINDOW } from './spectrum.ts';

/** How utterances are cut; see docs/kernels/voice_conversation.md. */
export interface CutSettings {
  /** A band must stand this far above the noise floor, dB, beside what its own variation asks. */
  aboveNoiseDb: number;
  /** What is quieter than this in every band is never speech, dB below full scale. */
  quietDbfs: number;
  /** So long a silence ends an utterance. */
  silenceMs: number;
  /** What is shorter is a click. */
  minUtteranceMs: number;
  /** What is longer is cut. */
  maxUtteranceMs: number;
  /** Audio kept before and after an utterance, for whoever transcribes it. */
  padMs: number;
}

export const CUT_DEFAULTS: CutSettings = {
  aboveNoiseDb: 5,
  quietDbfs: -62,
  silenceMs: 480,
  minUtteranceMs: 130,
  maxUtteranceMs: 20_000,
  padMs: 200,
};

export interface Utterance {
  /** Of the speech itself, in ms of audio since the session began. */
  startMs: number;
  endMs: number;
  /** `pause`: silence followed; `length`: it was too long; `end`: the audio ended. */
  cut: 'pause' | 'length' | 'end';
  /** With `padMs` around it. */
  samples: Int16Array;
}

/** Looks from which the first noise floor is made, 0.3 s; nothing is decided before. */
const FIRST_LOOKS = 20;
const FIRST_QUANTILE = 0.2;
/** A noise louder than this when a session begins is taken for speech until the minima have it. */
const FIRST_FLOOR_DBFS = -30;
/** Looks over which a band's power is averaged, and of the latest `ONSET_LOOKS` so many must be loud to begin an utterance. */
const AVERAGED = 3;
const ONSET_LOOKS = 7;
const ONSET_LOUD = 5;
/** Spread of the averaged power of white noise, in dB, for a band of one bin; it shrinks with the root of the bins. */
const SPREAD_DB = 3.4;
/** Spreads above the mean that noise reaches less than once in ten thousand looks. */
const SPREADS = 3.5;

const power = (db: number): number => 10 ** (db / 10);

/**
 * Cuts utterances out of a stream of samples. Pure: what comes out depends on the samples alone, not on the pieces in which they come, nor
 * on time.
 */
export class Cutter {
  readonly #settings: CutSettings;
  readonly #thresholds: Float64Array;
  readonly #quiet: number;
  /** Samples that are still needed; `#base` is the number of the first. */
  #samples = new Int16Array(AUDIO.rate * 2);
  #length = 0;
  #base: number;
  readonly #origin: number;
  #looks = 0;
  #first: Float64Array[] | undefined = [];
  #floor: NoiseFloor | undefined;
  #latest: Float64Array[] = [];
  #loud: boolean[] = [];
  /** Look with which the utterance began, or null; look after its last loud one; loud ones in it. */
  #start: number | null = null;
  #end = 0;
  #loudLooks = 0;

  /** @param fromMs audio that came before, by which times are counted on */
  constructor(settings: CutSettings, fromMs = 0) {
    this.#settings = settings;
    this.#quiet = power(settings.quietDbfs);
    this.#thresholds = Float64Array.from(BAND_BINS, (bins) =>
      power(settings.aboveNoiseDb + (SPREADS * SPREAD_DB) / Math.sqrt(bins)),
    );
    this.#origin = Math.round((fromMs * AUDIO.rate) / 1000);
    this.#base = 0;
  }

  /** Audio taken so far, ms. */
  get takenMs(): number {
    return this.#ms(this.#base + this.#length);
  }

  get isSpeaking(): boolean {
    return this.#start !== null;
  }

  push(samples: Int16Array): Utterance[] {
    this.#keep(samples);
    const cut: Utterance[] = [];
    for (let at = this.#looks * HOP; at + WINDOW <= this.#base + this.#length; at = this.#looks * HOP) {
      const look = bandPowers(this.#samples, at - this.#base);
      this.#looks++;
      if (this.#first) this.#begin(look, cut);
      else this.#decide(look, this.#looks - 1, cut);
    }
    this.#forget();
    return cut;
  }

  /** The audio ends here: what is open is cut. The cutter goes on with the next push as after a pause. */
  end(): Utterance[] {
    const cut: Utterance[] = [];
    if (this.#first && this.#first.length > 0) this.#settle(cut);
    if (this.#start !== null) this.#close('end', cut);
    this.#forget();
    return cut;
  }

  #begin(look: Float64Array, cut: Utterance[]): void {
    this.#first!.push(look);
    if (this.#first!.length === FIRST_LOOKS) this.#settle(cut);
  }

  #settle(cut: Utterance[]): void {
    const first = this.#first!;
    this.#first = undefined;
    this.#floor = new NoiseFloor(first, FIRST_QUANTILE, power(FIRST_FLOOR_DBFS));
    const from = this.#looks - first.length;
    for (const [i, look] of first.entries()) this.#decide(look, from + i, cut);
  }

  #decide(look: Float64Array, index: number, cut: Utterance[]): void {
    const { silenceMs, maxUtteranceMs } = this.#settings;
    const isLoud = this.#isLoud(look);
    this.#loud.push(isLoud);
    if (this.#loud.length > ONSET_LOOKS) this.#loud.shift();
    const loud = this.#loud.filter(Boolean).length;
    this.#floor!.take(look, isLoud || this.#start !== null);

    if (this.#start === null) {
      if (loud < ONSET_LOUD) return;
      this.#start = index - this.#loud.length + 1 + this.#loud.indexOf(true);
      this.#loudLooks = loud;
      this.#end = index + 1;
      return;
    }
    if (isLoud) this.#loudLooks++;
    // One loud look alone is noise, not the end of a word.
    if (isLoud && this.#loud.at(-2)) this.#end = index + 1;
    if ((index + 1 - this.#start) * HOP_MS >= maxUtteranceMs) {
      const isGoingOn = index + 1 - this.#end < ONSET_LOUD;
      this.#end = index + 1;
      this.#close('length', cut);
      // Who goes on speaking begins the next part where this one ended.
      if (isGoingOn) {
        this.#start = index + 1;
        this.#end = index + 1;
        this.#loudLooks = 0;
      }
    } else if ((index + 1 - this.#end) * HOP_MS >= silenceMs) {
      this.#close('pause', cut);
    }
  }

  #isLoud(look: Float64Array): boolean {
    this.#latest.push(look);
    if (this.#latest.length > AVERAGED) this.#latest.shift();
    for (let b = 0; b < BANDS; b++) {
      let sum = 0;
      for (const one of this.#latest) sum += one[b]!;
      const mean = sum / this.#latest.length;
      if (mean > this.#quiet && mean > this.#floor!.powers[b]! * this.#thresholds[b]!) return true;
    }
    return false;
  }

  #close(why: Utterance['cut'], cut: Utterance[]): void {
    const { minUtteranceMs, padMs } = this.#settings;
    const [start, end] = [this.#start!, this.#end];
    this.#start = null;
    this.#loud = [];
    // The average of several looks carries what was loud on for as many: the last of them were quiet already.
    const [from, to] = [start * HOP, Math.max(start + 1, end - (why === 'pause' ? 1 : 0)) * HOP];
    if (this.#loudLooks * HOP_MS < minUtteranceMs || ((to - from) * 1000) / AUDIO.rate < minUtteranceMs) return;
    const pad = (padMs * AUDIO.rate) / 1000;
    const first = Math.max(this.#base, from - pad);
    // Not what has come: how much that is depends on the pieces.
    const last = Math.min(this.#looks * HOP + WINDOW - HOP, to + pad);
    cut.push({
      startMs: this.#ms(from),
      endMs: this.#ms(to),
      cut: why,
      samples: this.#samples.slice(first - this.#base, last - this.#base),
    });
  }

  #ms(sample: number): number {
    return Math.round(((sample + this.#origin) * 1000) / AUDIO.rate);
  }

  #keep(samples: Int16Array): void {
    const needed = this.#length + samples.length;
    if (needed > this.#samples.length) {
      const larger = new Int16Array(Math.max(needed, this.#samples.length * 2));
      larger.set(this.#samples.subarray(0, this.#length));
      this.#samples = larger;
    }
    this.#samples.set(samples, this.#length);
    this.#length = needed;
  }

  /** Lets go of what no utterance can need any more, when there is enough of it to be worth moving the rest. */
  #forget(): void {
    const looks = this.#start ?? this.#looks - (this.#first?.length ?? 0) - ONSET_LOOKS;
    const needed = looks * HOP - (this.#settings.padMs * AUDIO.rate) / 1000;
    const gone = Math.min(needed - this.#base, this.#length);
    if (gone < AUDIO.rate) return;
    const rest = this.#samples.slice(gone, this.#length);
    this.#samples = new Int16Array(Math.max(AUDIO.rate * 2, rest.length * 2));
    this.#samples.set(rest);
    this.#length = rest.length;
    this.#base += gone;
  }
}
