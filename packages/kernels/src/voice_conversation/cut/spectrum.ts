import { AUDIO } from '../audio/pcm.ts';

/** Samples of one look, and from one look to the next: 32 ms every 16 ms. */
export const WINDOW = 512;
export const HOP = 256;
export const HOP_MS = (HOP * 1000) / AUDIO.rate;

/** Borders of the bands in Hz, about an octave each. Mains hum of 50 or 60 Hz and its second harmonic lie below. */
const BORDERS = [150, 300, 600, 1200, 2400, 4800, 7600];
export const BANDS = BORDERS.length - 1;
const BIN_HZ = AUDIO.rate / WINDOW;
const BINS = BORDERS.map((hz) => Math.ceil(hz / BIN_HZ));
/** How many bins each band has: the fewer, the more its power varies from look to look. */
export const BAND_BINS: readonly number[] = Array.from({ length: BANDS }, (_, b) => BINS[b + 1]! - BINS[b]!);

const HANN = Float64Array.from({ length: WINDOW }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / WINDOW));
/** So that a full-scale sine has the power 0.5 in its band: what a window takes away is given back. */
const SCALE = 2 / (WINDOW * HANN.reduce((sum, w) => sum + w * w, 0));
const COS = Float64Array.from({ length: WINDOW / 2 }, (_, i) => Math.cos((2 * Math.PI * i) / WINDOW));
const SIN = Float64Array.from({ length: WINDOW / 2 }, (_, i) => -Math.sin((2 * Math.PI * i) / WINDOW));
const BITS = Math.log2(WINDOW);
const REVERSED = Uint16Array.from({ length: WINDOW }, (_, i) => {
  let bits = 0;
  for (let b = 0; b < BITS; b++) bits |= ((i >> b) & 1) << (BITS - 1 - b);
  return bits;
});

/** Power in each band of `WINDOW` samples from `at` on, as a share of full scale squared. */
export function bandPowers(samples: Int16Array, at: number): Float64Array {
  const re = new Float64Array(WINDOW);
  const im = new Float64Array(WINDOW);
  for (let i = 0; i < WINDOW; i++) re[REVERSED[i]!] = (samples[at + i]! / 32_768) * HANN[i]!;
  transform(re, im);
  return Float64Array.from({ length: BANDS }, (_, b) => {
    let sum = 0;
    for (let k = BINS[b]!; k < BINS[b + 1]!; k++) sum += re[k]! ** 2 + im[k]! ** 2;
    return sum * SCALE;
  });
}

/** Fast Fourier transform in place, radix 2, of values in bit-reversed order (Cooley and Tukey 1965). */
function transform(re: Float64Array, im: Float64Array): void {
  for (let size = 2; size <= WINDOW; size *= 2) {
    const half = size / 2;
    const step = WINDOW / size;
    for (let block = 0; block < WINDOW; block += size) {
      for (let k = 0; k < half; k++) {
        const [a, b] = [block + k, block + k + half];
        const [c, s] = [COS[k * step]!, SIN[k * step]!];
        const x = re[b]! * c - im[b]! * s;
        const y = re[b]! * s + im[b]! * c;
        re[b] = re[a]! - x;
        im[b] = im[a]! - y;
        re[a] = re[a]! + x;
        im[a] = im[a]! + y;
      }
    }
  }
}
