import { BANDS } from './spectrum.ts';

/** Of a band's power at rest: rises and falls with a time constant of about 0.3 s, in looks of 16 ms. */
const FOLLOW = 0.05;
/** What lies below the floor is noise for sure: it falls faster than it rises. */
const FALL = 0.15;
/** Looks in half of the window of minima, 0.8 s: speech dips to the noise more often, in each band, than once in two halves. */
const HALF_LOOKS = 50;
/** The mean of noise lies above the least of its smoothed powers (Martin 2001, minimum statistics; the factor was measured on white noise). */
const BIAS = 1.5;
const SMOOTH = 0.25;
/** A floor is never lower than about half a step of 16 bits, spread over the bands: digital silence would make anything loud. */
const LEAST = 1e-11;

/**
 * What each band has when nobody speaks. It follows the noise between utterances. During one it only rises: to the least that was there for
 * 0.8 to 1.6 s, so a noise that begins and stays is taken for speech no longer than that.
 */
export class NoiseFloor {
  readonly powers: Float64Array;
  readonly #smooth: Float64Array;
  #least = new Float64Array(BANDS).fill(Infinity);
  #leastBefore = new Float64Array(BANDS).fill(Infinity);
  #looks = 0;

  /** @param first powers of the first looks; whoever speaks at once leaves gaps, so a low quantile of them is taken */
  constructor(first: readonly Float64Array[], quantile: number, mostPower: number) {
    this.powers = Float64Array.from({ length: BANDS }, (_, b) => {
      const sorted = first.map((look) => look[b]!).sort((x, y) => x - y);
      const low = sorted[Math.floor(quantile * (sorted.length - 1))] ?? 0;
      return Math.max(LEAST, Math.min(low * BIAS, mostPower));
    });
    this.#smooth = this.powers.slice();
  }

  /** @param isSpeech whether this look is, or may be, part of an utterance */
  take(look: Float64Array, isSpeech: boolean): void {
    const isHalfOver = ++this.#looks % HALF_LOOKS === 0;
    for (let b = 0; b < BANDS; b++) {
      const smooth = this.#smooth[b]! + SMOOTH * (look[b]! - this.#smooth[b]!);
      this.#smooth[b] = smooth;
      this.#least[b] = Math.min(this.#least[b]!, smooth);
      const now = this.powers[b]!;
      const lasting = Math.min(this.#least[b]!, this.#leastBefore[b]!);
      let next = now;
      if (look[b]! < now) next = now + FALL * (look[b]! - now);
      else if (!isSpeech) next = now + FOLLOW * (look[b]! - now);
      // Only minima over a whole half say what lasts.
      else if (this.#leastBefore[b]! < Infinity && lasting > now) next = lasting;
      this.powers[b] = Math.max(LEAST, next);
    }
    if (!isHalfOver) return;
    this.#leastBefore = this.#least;
    this.#least = this.#smooth.slice();
  }
}
